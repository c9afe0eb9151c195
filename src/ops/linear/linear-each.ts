import * as tf from '@tensorflow/tfjs';

import { wasmKernels } from '../../device/wasm-kernels.ts';
import { checkShape } from '../define-op.ts';
import { plus } from '../plus.ts';
import type { Bias, LinearWeight } from '../types.ts';
import { affineOf, fewRowsKernel, type FewRowsFactor, halvesOf, isFewRows } from './kernel.ts';
import { checkLinear, linear } from './linear.ts';

/** One linear of several. */
export interface Factor {
  weight: LinearWeight;
  bias: Bias;
  /** f32 [R, out], what the linear's outputs are added to. */
  residual?: tf.Tensor2D;
}

/**
 * Several linears of the same rows, such as a decoder's queries, keys and values, each with its bias and what it is added to: the same bits
 * as `linear` and `plus` one after the other. On wasm few rows times packed weights, as in decoding, are one call of the kernel, where
 * every call costs as much JavaScript as its numbers take, and threads have more to share; while gradients are recorded each is an op.
 *
 * @param x f32 [R, in]
 * @returns f32 [R, out] of each
 * @throws RangeError when shapes disagree
 */
export function linearEach(x: tf.Tensor2D, factors: readonly Factor[]): tf.Tensor2D[] {
  for (const { weight, residual } of factors) {
    if (residual) checkShape('linear', 'residual', residual, [x.shape[0], weight.outFeatures]);
  }
  const few = tf.engine().state.gradientDepth === 0 && wasmKernels() ? factors.map((factor) => packedFactor(x, factor)) : [null];
  if (few.every((factor) => factor !== null) && isFewRows(x.shape[0], few)) {
    return fewRowsKernel(x, few).map((output) => tf.engine().makeTensorFromTensorInfo(output) as tf.Tensor2D);
  }
  return factors.map(({ weight, bias, residual }) => {
    const product = linear(x, weight, bias);
    return residual ? plus(residual, product) : product;
  });
}

/** null for a weight that the kernel of few rows does not take. */
function packedFactor(x: tf.Tensor2D, { weight, bias, residual }: Factor): FewRowsFactor | null {
  checkLinear(x, weight, bias);
  const others = { bias: bias ?? undefined, residual };
  if (weight.kind === 'f16') return { matrix: halvesOf(weight.data, weight.inFeatures), ...others };
  if (weight.kind !== 'affine') return null;
  return { matrix: affineOf({ words: weight.data, scales: weight.scales, biases: weight.biases }, weight), ...others };
}
