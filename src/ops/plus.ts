import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';

const sum = tf.customGrad((a, b) => {
  const value = tf.add(a as tf.Tensor, b as tf.Tensor);
  return { value, gradFunc: (dy) => [dy, dy.clone()] };
});

/** a + b of equal shapes. The gradient of `tf.add` would keep both until the backward pass, and needs neither. */
export function plus(a: Tensor2D, b: Tensor2D): Tensor2D {
  return sum(a, b) as Tensor2D;
}
