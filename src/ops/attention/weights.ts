import * as tf from '@tensorflow/tfjs';
import { groupOf, headWeights, hiddenScores, splitHeads } from './reference.ts';
import { attentionSizes } from './sizes.ts';

/**
 * The weights themselves, softmax(q · kᵀ / √D) of a few rows: what `attention` and `crossAttention` multiply with the values and
 * never hold. Stock ops on every backend, a group of heads at a time; for looking at, without a gradient of its own.
 *
 * @param q f32 [R, H·D]
 * @param k f32 [1, S, Hkv·D]
 * @param visible f32 [R, S], 1 = the row sees the key
 * @returns f32 [H, R, S]; rows sum to one, or to zero where a row sees nothing
 * @throws RangeError when shapes disagree
 */
export function attentionWeights(
  q: tf.Tensor2D,
  k: tf.Tensor3D,
  visible: tf.Tensor2D,
  { heads, kvHeads }: { heads: number; kvHeads: number },
): tf.Tensor3D {
  const sizes = attentionSizes('attentionWeights', q, k, k, { heads, kvHeads });
  const { rows, keys, dim } = sizes;
  return tf.tidy(() => {
    const qHeads = splitHeads(q, rows, heads, dim);
    const kHeads = tf.transpose(tf.reshape(k, [keys, kvHeads, dim]), [1, 2, 0]);
    const hidden = hiddenScores(visible);
    const groups = Array.from({ length: kvHeads }, (_, g) =>
      tf.tidy(() =>
        headWeights(
          groupOf(qHeads, g, sizes),
          tf.reshape(tf.slice(kHeads, [g, 0, 0], [1, dim, keys]), [dim, keys]),
          sizes,
          visible,
          hidden,
        ),
      ),
    );
    return tf.reshape(groups.length === 1 ? groups[0]! : tf.concat(groups, 0), [heads, rows, keys]);
  });
}
