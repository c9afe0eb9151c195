import * as tf from '@tensorflow/tfjs';

// Transposed explicitly: the wasm backend multiplies through XNNPACK only without transpose flags; with them a naive
// loop runs, 6–15 times slower.

/** a [m, k] · bᵀ, b [n, k] → [m, n]. */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(a, tf.transpose(b));
}

/** aᵀ · b, a [k, m], b [k, n] → [m, n]. */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(tf.transpose(a) as tf.Tensor2D, b);
}
