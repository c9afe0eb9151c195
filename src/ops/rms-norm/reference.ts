import * as tf from '@tensorflow/tfjs';

/** x / √(mean(x²) + eps) · weight, over the last axis of x [R, C]. */
export function rmsNormReference(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  return tf.mul(tf.mul(x, inverseRms(x, eps)), weight);
}

/** 1 / √(mean(x²) + eps) of each row, [R, 1]. */
export function inverseRms(x: tf.Tensor2D, eps: number): tf.Tensor2D {
  return tf.rsqrt(tf.add<tf.Tensor2D>(tf.mean(tf.square(x), 1, true), eps));
}
