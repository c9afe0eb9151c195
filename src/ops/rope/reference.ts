import * as tf from '@tensorflow/tfjs';

/**
 * Rotates the pairs (i, i + dim/2) of each head of x [R, heads·dim] by direction · positions[r] ·
 * inverseFrequencies[i].
 */
export function ropeReference(
  x: tf.Tensor2D,
  positions: tf.Tensor1D,
  inverseFrequencies: tf.Tensor1D,
  heads: number,
  direction: 1 | -1,
): tf.Tensor2D {
  const rows = x.shape[0];
  const half = inverseFrequencies.shape[0];
  const angles = tf.reshape(
    tf.mul(tf.mul(tf.reshape(tf.cast(positions, 'float32'), [rows, 1]), direction), tf.reshape(inverseFrequencies, [1, half])),
    [rows, 1, half],
  );
  const cos = tf.cos(angles);
  const sin = tf.sin(angles);
  const perHead = tf.reshape(x, [rows, heads, 2 * half]);
  const first = tf.slice(perHead, [0, 0, 0], [rows, heads, half]);
  const second = tf.slice(perHead, [0, 0, half], [rows, heads, half]);
  const rotated = tf.concat([tf.sub(tf.mul(first, cos), tf.mul(second, sin)), tf.add(tf.mul(second, cos), tf.mul(first, sin))], 2);
  return tf.reshape(rotated, [rows, heads * 2 * half]);
}
