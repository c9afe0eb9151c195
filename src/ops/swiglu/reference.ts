import * as tf from '@tensorflow/tfjs';

/** gate · sigmoid(gate) · up. */
export function swigluReference(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}
