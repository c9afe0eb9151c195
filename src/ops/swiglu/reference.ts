import * as tf from '@tensorflow/tfjs';

/** gate · sigmoid(gate) · up. */
export function swigluReference(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

/** dy · up · silu'(gate), silu'(g) = s·(1 + g·(1 − s)) with s = sigmoid(g). */
export function swigluGateGradientReference(dy: tf.Tensor2D, gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  const s = tf.sigmoid(gate);
  return tf.mul(tf.mul(dy, up), tf.mul(s, tf.add(1, tf.mul(gate, tf.sub(1, s)))));
}
