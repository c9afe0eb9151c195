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

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** tanh(√(2/π) · (x + 0.044715 x³)) */
function innerTanh(x: tf.Tensor2D): tf.Tensor2D {
  const inner = tf.add<tf.Tensor2D>(x, tf.mul(0.044715, tf.mul(tf.square(x), x)));
  return tf.tanh(tf.mul<tf.Tensor2D>(SQRT_2_OVER_PI, inner));
}

/** x / 2 · (1 + tanh(…)), the form that PyTorch calls `tanh`. */
export function geluTanhReference(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.mul(0.5, x), tf.add(1, innerTanh(x)));
}

/** dy / 2 · (1 + t + x · (1 − t²) · √(2/π) · (1 + 3 · 0.044715 x²)), t the tanh. */
export function geluTanhGradientReference(dy: tf.Tensor2D, x: tf.Tensor2D): tf.Tensor2D {
  const t = innerTanh(x);
  const slope = tf.mul(SQRT_2_OVER_PI, tf.add(1, tf.mul(3 * 0.044715, tf.square(x))));
  const bend = tf.mul(tf.mul(x, tf.sub(1, tf.square(t))), slope);
  return tf.mul(tf.mul(0.5, dy), tf.add(tf.add(1, t), bend));
}
