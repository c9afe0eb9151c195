import * as tf from '@tensorflow/tfjs';

/** x · Φ(x), Φ the normal distribution function. */
export function geluReference(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, normalDistribution(x));
}

/** Φ(x) = (1 + erf(x / √2)) / 2. */
function normalDistribution(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));
}

/** dy · (Φ(x) + x · φ(x)), φ the normal density. */
export function geluGradientReference(dy: tf.Tensor2D, x: tf.Tensor2D): tf.Tensor2D {
  const density = tf.mul(1 / Math.sqrt(2 * Math.PI), tf.exp(tf.mul(-0.5, tf.square(x))));
  return tf.mul(dy, tf.add(normalDistribution(x), tf.mul(x, density)));
}
