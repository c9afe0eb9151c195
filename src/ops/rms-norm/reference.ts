import * as tf from '@tensorflow/tfjs';

/** x / √(mean(x²) + eps) · weight, over the last axis of x [R, C]. */
export function rmsNormReference(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  return tf.mul(tf.mul(x, inverseRms(x, eps)), weight);
}

/** With r the inverse RMS and n = x·r: dx = r·(g − n·mean(g·n)), g = dy·weight. */
export function rmsNormGradientReference(dy: tf.Tensor2D, x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  const r = inverseRms(x, eps);
  const n = tf.mul(x, r);
  const g = tf.mul(dy, weight);
  return tf.mul(r, tf.sub(g, tf.mul(n, tf.mean(tf.mul(g, n), 1, true))));
}

/** Σ over the rows of dy·n. */
export function rmsNormWeightGradientReference(dy: tf.Tensor2D, x: tf.Tensor2D, eps: number): tf.Tensor1D {
  return tf.sum(tf.mul(dy, tf.mul(x, inverseRms(x, eps))), 0);
}

/** 1 / √(mean(x²) + eps) of each row, [R, 1]. */
function inverseRms(x: tf.Tensor2D, eps: number): tf.Tensor2D {
  return tf.rsqrt(tf.add<tf.Tensor2D>(tf.mean(tf.square(x), 1, true), eps));
}
