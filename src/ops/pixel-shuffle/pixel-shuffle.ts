import * as tf from '@tensorflow/tfjs';

/**
 * Space-to-depth: a square of f × f neighbouring patch tokens becomes one token of f² times the channels (NVLM paper §4.1,
 * Fig. 4, InternVL `pixel_shuffle`, both with f = 2; Idefics3 and SmolVLM with up to 4). Token (r, q) holds the whole channel
 * vectors of its patches row by row: for f = 2 those of (2r, 2q), (2r, 2q+1), (2r+1, 2q), (2r+1, 2q+1). `v1` has the output grid
 * transposed, as InternVL's first version left it. Stock ops, so tfjs differentiates it.
 *
 * @param x f32 [N, g·g, C], patches row-major, g a multiple of f
 * @returns f32 [N, (g/f)², f²·C]
 * @throws RangeError when the patches are no square of that side
 */
export function pixelShuffle(x: tf.Tensor3D, version: 'v1' | 'v2', factor = 2): tf.Tensor3D {
  const [tiles, patches, channels] = x.shape;
  const grid = Math.round(Math.sqrt(patches));
  if (grid * grid !== patches || grid % factor !== 0) {
    throw new RangeError(`pixelShuffle: ${patches} patches are no square whose side is a multiple of ${factor}`);
  }
  const side = grid / factor;
  const wide = factor * factor * channels;
  return tf.tidy(() => {
    // [r, row in block, q, column in block · channels] → [r, q, row in block, column in block · channels]
    const blocks = tf.transpose(tf.reshape(x, [tiles * side, factor, side, factor * channels]), [0, 2, 1, 3]);
    if (version === 'v2') return tf.reshape(blocks, [tiles, side * side, wide]);
    const transposed = tf.transpose(tf.reshape(blocks, [tiles, side, side, wide]), [0, 2, 1, 3]);
    return tf.reshape(transposed, [tiles, side * side, wide]);
  });
}
