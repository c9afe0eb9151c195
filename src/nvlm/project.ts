import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { linear } from '../ops/linear/linear.ts';
import type { LinearWeight } from '../ops/types.ts';
import { plus } from '../ops/plus.ts';
import type { Applied, LowRankUpdate, Weights } from './weights.ts';

/**
 * Applies the linear of a checkpoint name: its weight, its bias when it has one, and the low-rank updates that stand on it.
 *
 * @param x [R, in]
 * @returns [R, out]
 */
export function project(x: Tensor2D, name: string, weights: Weights): Tensor2D {
  if (!isUpdated(name, weights)) return weights.apply(name, x);
  return tf.tidy(() => updated(weights.apply(name, x), x, name, weights));
}

/** {@link project} by several linears of the same rows, each added to its residual where it has one. */
export function projectEach(x: Tensor2D, linears: readonly Applied[], weights: Weights): Tensor2D[] {
  if (!linears.some(({ name }) => isUpdated(name, weights))) return weights.applyEach(linears, x);
  return linears.map(({ name, residual }) => {
    if (!isUpdated(name, weights)) return weights.applyEach([{ name, residual }], x)[0]!;
    const product = project(x, name, weights);
    return residual ? plus(residual, product) : product;
  });
}

function isUpdated(name: string, { updates }: Weights): boolean {
  return (updates.get(name) ?? []).length > 0;
}

function updated(product: Tensor2D, x: Tensor2D, name: string, { updates }: Weights): Tensor2D {
  return updates.get(name)!.reduce((y, update) => plus(y, updateOf(x, update)), product);
}

/** `scale · B(A(dropout(x)))` (Hu et al. 2021, §4.1). */
function updateOf(x: Tensor2D, { a, b, scale, dropout }: LowRankUpdate): Tensor2D {
  const inner = linear(dropout ? dropout(x) : x, matrix(a), null);
  // Scaled while it is narrow: rank columns instead of the layer's width.
  return linear(inner.mul<Tensor2D>(scale), matrix(b), null);
}

function matrix(data: Tensor2D): LinearWeight {
  return { kind: 'f32', inFeatures: data.shape[0], outFeatures: data.shape[1], data };
}
