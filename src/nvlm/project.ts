import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { linear } from '../ops/linear/linear.ts';
import type { LinearWeight } from '../ops/types.ts';
import { plus } from './plus.ts';
import type { LowRankUpdate, Weights } from './weights.ts';

/**
 * Applies the linear of a checkpoint name: its weight, its bias when it has one, and the low-rank updates that stand on it.
 *
 * @param x [R, in]
 * @returns [R, out]
 */
export function project(x: Tensor2D, name: string, weights: Weights): Tensor2D {
  const updates = weights.updates.get(name) ?? [];
  if (updates.length === 0) return weights.apply(name, x);
  return tf.tidy(() => updates.reduce((y, update) => plus(y, updateOf(x, update)), weights.apply(name, x)));
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
