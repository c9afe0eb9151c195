import * as tf from '@tensorflow/tfjs';

/** x · Φ(x), Φ the normal distribution function. */
export function geluReference(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, normalDistribution(x));
}

/** Φ(x) = (1 + erf(x / √2)) / 2. */
export function normalDistribution(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));
}
