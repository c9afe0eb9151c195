import type * as tf from '@tensorflow/tfjs';

import { FORMAT, scratchOf } from '../../device/wasm-kernels.ts';
import type { AffineBits } from '../affine.ts';
import { runKernel } from '../wasm-kernel.ts';

/** A matrix [rows, columns] as it lies in memory. */
interface HeldMatrix {
  format: (typeof FORMAT)[keyof typeof FORMAT];
  rows: number;
  columns: number;
  data: tf.Tensor;
  scales?: tf.Tensor;
  biases?: tf.Tensor;
  groupSize?: number;
}

export function f32Of(data: tf.Tensor2D): HeldMatrix {
  return { format: FORMAT.f32, rows: data.shape[0], columns: data.shape[1], data };
}

export function halvesOf(data: tf.Tensor2D, columns: number): HeldMatrix {
  return { format: FORMAT.f16, rows: data.shape[0], columns, data };
}

export function affineOf(
  { words, scales, biases }: { words: tf.Tensor2D; scales?: tf.Tensor2D; biases?: tf.Tensor2D },
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
): HeldMatrix {
  const format = bits === 8 ? FORMAT.affine8 : FORMAT.affine4;
  return { format, rows: words.shape[0], columns: (words.shape[1] * 32) / bits, data: words, scales, biases, groupSize };
}

interface ProductOptions {
  aTransposed?: boolean;
  bTransposed?: boolean;
  /** f32 [n] */
  bias?: tf.Tensor1D;
}

/** Below so many rows a weight is used too few times to be unpacked first. */
const FEW_ROWS = 8;
/** Floats are not unpacked, only laid next to each other. */
const FEW_FLOAT_ROWS = 4;

/** a · b (+ bias), [m, n], by the wasm kernels: see kernels/gemm.ts and kernels/few-rows.ts. */
export function productKernel(
  a: tf.Tensor2D,
  b: HeldMatrix,
  { aTransposed = false, bTransposed = false, bias }: ProductOptions,
): tf.TensorInfo {
  const [k, m] = aTransposed ? a.shape : [a.shape[1], a.shape[0]];
  const n = bTransposed ? b.rows : b.columns;
  const { format, groupSize = 1 } = b;
  return runKernel([m, n], (run, c, at) => {
    const few = !aTransposed && m < (format === FORMAT.f32 ? FEW_FLOAT_ROWS : FEW_ROWS);
    const [scales, biases] = [at(b.scales), at(b.biases)];
    if (few && bTransposed && format !== FORMAT.f32) {
      const ready = scratchOf(run.multiplyFewRowsScratch(m, k, b.groupSize ? k / groupSize : 0));
      run.makeRowsReady(format, at(a), groupSize, m, k, ready);
      run.multiplyFewRows(format, ready, at(b.data), scales, biases, groupSize, at(bias), c, m, n, k);
    } else if (few && !bTransposed && format === FORMAT.f32) {
      run.multiplyFewRowsF32(at(a), at(b.data), at(bias), c, m, n, k);
    } else {
      const flags = [Number(aTransposed), format, at(b.data), Number(bTransposed)];
      run.multiply(at(a), ...flags, scales, biases, groupSize, at(bias), c, m, n, k);
    }
  });
}
