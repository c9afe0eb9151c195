import * as tf from '@tensorflow/tfjs';

/**
 * Space-to-depth by 2: four neighbouring patch tokens become one of four times the channels (NVLM paper §4.1, Fig. 4;
 * InternVL `pixel_shuffle`). Token (r, q) holds the whole channel vectors of patches (2r, 2q), (2r, 2q+1), (2r+1, 2q),
 * (2r+1, 2q+1) in that order. `v1` has the output grid transposed, as InternVL's first version left it. Stock ops, so
 * tfjs differentiates it.
 *
 * @param x f32 [N, g·g, C], patches row-major, g even
 * @returns f32 [N, (g/2)², 4C]
 * @throws RangeError when the patches are no even square
 */
export function pixelShuffle(x: tf.Tensor3D, version: 'v1' | 'v2'): tf.Tensor3D {
  const [tiles, patches, channels] = x.shape;
  const grid = Math.round(Math.sqrt(patches));
  if (grid * grid !== patches || grid % 2 !== 0)
    throw new RangeError(`pixelShuffle: ${patches} patches are no even square`);
  const half = grid / 2;
  return tf.tidy(() => {
    // [r, row in pair, q, column in pair · channels] → [r, q, row in pair, column in pair · channels]
    const pairs = tf.transpose(tf.reshape(x, [tiles * half, 2, half, 2 * channels]), [0, 2, 1, 3]);
    if (version === 'v2') return tf.reshape(pairs, [tiles, half * half, 4 * channels]);
    const swapped = tf.transpose(tf.reshape(pairs, [tiles, half, half, 4 * channels]), [0, 2, 1, 3]);
    return tf.reshape(swapped, [tiles, half * half, 4 * channels]);
  });
}
