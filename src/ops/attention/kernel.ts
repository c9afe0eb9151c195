import * as tf from '@tensorflow/tfjs';

import { addressOf, wasmKernels, wasmOutput } from '../../device/wasm-kernels.ts';
import { runKernel } from '../wasm-kernel.ts';
import type { AttentionSizes } from './reference.ts';

/** Who sees what: see `attention` and `crossAttention`. */
export interface KernelMask {
  causal: boolean;
  starts?: tf.Tensor;
  keyMask?: tf.Tensor;
  rowTiles?: tf.Tensor;
  keyTiles?: tf.Tensor;
}

/** Up to so many rows keys and values are read where they lie, and above in packed blocks. */
const FEW_ROWS = 4;

/** {@link attendReference} by the wasm kernels. */
export function attendKernel(q: tf.Tensor2D, k: tf.Tensor3D, v: tf.Tensor3D, sizes: AttentionSizes, mask: KernelMask): tf.TensorInfo {
  return runKernel(q.shape, (run, out, at) => {
    (sizes.rows <= FEW_ROWS ? run.attendFewRows : run.attend)(at(q), at(k), at(v), out, ...operandsOf(sizes, mask));
  });
}

/** {@link attendGradientReference} by the wasm kernels. */
export function attendGradientKernel(
  { dy, q, k, v }: Record<'dy' | 'q' | 'k' | 'v', tf.Tensor>,
  sizes: AttentionSizes,
  mask: KernelMask,
): Record<'q' | 'k' | 'v', () => tf.Tensor> {
  const outputs = [q, k, v].map(({ shape }) => wasmOutput(shape));
  wasmKernels()!.attendGradient(...[dy, q, k, v, ...outputs].map(addressOf), ...operandsOf(sizes, mask));
  const [dq, dk, dv] = outputs.map((info) => tf.engine().makeTensorFromTensorInfo(info)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return { q: () => dq, k: () => dk, v: () => dv };
}

/** The operands that all three kernels have. */
function operandsOf({ batch, rows, keys, heads, kvHeads, dim }: AttentionSizes, mask: KernelMask): number[] {
  const { causal, starts, keyMask, rowTiles, keyTiles } = mask;
  const tiles = [addressOf(rowTiles), rowTiles?.shape[1] ?? 0, addressOf(keyTiles)];
  return [batch, rows, keys, heads, kvHeads, dim, Number(causal), addressOf(starts), addressOf(keyMask), ...tiles];
}
