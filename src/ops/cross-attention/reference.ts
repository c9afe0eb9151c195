import * as tf from '@tensorflow/tfjs';

import type { AttentionSizes, Visibility } from '../attention/reference.ts';

/** A row sees a key iff the key has a tile and the row sees that tile. */
export function tileVisibility(sizes: AttentionSizes, rowTiles: tf.Tensor2D, keyTiles: tf.Tensor2D): Visibility {
  const { rows, keys } = sizes;
  const tiles = rowTiles.shape[1];
  const zero = tf.scalar(0, 'int32');
  return (b) => {
    const tileOfKey = tf.reshape(tf.slice(keyTiles, [b, 0], [1, keys]), [keys]);
    const real = tf.cast(tf.greaterEqual(tileOfKey, zero), 'float32');
    const sees = tf.cast(tf.slice(rowTiles, [b * rows, 0], [rows, tiles]), 'float32');
    return tf.mul<tf.Tensor2D>(tf.gather(sees, tf.maximum(tileOfKey, zero) as tf.Tensor1D, 1), real);
  };
}
