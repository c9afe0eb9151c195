import * as tf from '@tensorflow/tfjs';

/** Rows of x [R, C] to mean 0 and variance 1, times weight, plus bias. */
export function layerNormReference(x: tf.Tensor2D, weight: tf.Tensor1D, bias: tf.Tensor1D, eps: number): tf.Tensor2D {
  return tf.add(tf.mul(standardise(x, eps).normalised, weight), bias);
}

/** (x − mean) · inverse deviation, [R, C], and the inverse deviation 1 / √(variance + eps), [R, 1]. */
export function standardise(x: tf.Tensor2D, eps: number): { normalised: tf.Tensor2D; inverseDeviation: tf.Tensor2D } {
  const centred = tf.sub(x, tf.mean(x, 1, true)) as tf.Tensor2D;
  const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), eps)) as tf.Tensor2D;
  return { normalised: tf.mul(centred, inverseDeviation), inverseDeviation };
}
