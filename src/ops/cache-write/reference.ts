import * as tf from '@tensorflow/tfjs';

/** A new tensor [B, max(starts) + T, W] of the cache's rows up to each start, then the new rows, then zeros. */
export function cacheWriteReference(cache: tf.Tensor3D, rows: tf.Tensor3D, starts: number[]): tf.Tensor3D {
  const [batch, count, width] = rows.shape;
  const length = Math.max(...starts) + count;
  const entries = starts.map((start, b) => {
    const parts: tf.Tensor3D[] = [];
    if (start > 0) parts.push(tf.slice(cache, [b, 0, 0], [1, start, width]));
    parts.push(batch === 1 ? rows : tf.slice(rows, [b, 0, 0], [1, count, width]));
    const rest = length - start - count;
    if (rest > 0) parts.push(tf.zeros([1, rest, width]));
    return parts.length === 1 ? tf.clone(parts[0]!) : tf.concat(parts, 1);
  });
  return entries.length === 1 ? entries[0]! : tf.concat(entries, 0);
}
