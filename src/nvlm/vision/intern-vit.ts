import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { attention } from '../../ops/attention/attention.ts';
import { gelu } from '../../ops/gelu/gelu.ts';
import { layerNorm } from '../../ops/layer-norm/layer-norm.ts';
import { linear } from '../../ops/linear/linear.ts';
import { rmsNorm } from '../../ops/rms-norm/rms-norm.ts';
import type { VisionConfig } from '../config.ts';
import { project } from '../project.ts';
import type { Weights } from '../weights.ts';
import { internVitNames as names } from './intern-vit-parameters.ts';
import { toPatches } from './patches.ts';

/**
 * InternViT: patch embedding, CLS, learned positions, pre-norm blocks with layer scale, last hidden state, CLS dropped.
 *
 * @param pixels [tiles, 3, S, S] f32, ImageNet-normalised
 * @returns [tiles, (S/patch)², hiddenSize]
 */
export function encodeInternVit(pixels: Float32Array, tiles: number, config: VisionConfig, weights: Weights): Tensor3D {
  const { hiddenSize, heads, imageSize, patchSize, layers } = config;
  const patches = (imageSize / patchSize) ** 2;
  const length = patches + 1;
  return tf.tidy(() => {
    const flat = tf.tensor2d(toPatches(pixels, tiles, imageSize, patchSize), [tiles * patches, 3 * patchSize * patchSize]);
    const embedded = linear(flat, weights.linear(names.patchEmbedding), weights.bias(names.patchEmbedding));
    const cls = weights.vector(names.classEmbedding).reshape<Tensor3D>([1, 1, hiddenSize]).tile<Tensor3D>([tiles, 1, 1]);
    const positions = weights.vector(names.positionEmbedding).reshape<Tensor3D>([1, length, hiddenSize]);
    let x = tf
      .concat([cls, embedded.reshape<Tensor3D>([tiles, patches, hiddenSize])], 1)
      .add(positions)
      .reshape<Tensor2D>([tiles * length, hiddenSize]);

    const normalise = (input: Tensor2D, name: string): Tensor2D =>
      config.normType === 'rms_norm'
        ? rmsNorm(input, weights.vector(`${name}.weight`), config.normEps)
        : layerNorm(input, weights.vector(`${name}.weight`), weights.vector(`${name}.bias`), config.normEps);
    const apply = (input: Tensor2D, name: string): Tensor2D => project(input, name, weights);

    for (let layer = 0; layer < layers; layer++) {
      const name = names.layer(layer);
      // A block's own intermediates would pile up over 45 layers of a full-size tile.
      const next = tf.tidy(() => {
        let [q, k, v] = tf.split(apply(normalise(x, `${name}.norm1`), `${name}.attn.qkv`), 3, 1) as [Tensor2D, Tensor2D, Tensor2D];
        if (config.qkNormalization) {
          q = rmsNorm(q, weights.vector(`${name}.attn.q_norm.weight`), config.normEps);
          k = rmsNorm(k, weights.vector(`${name}.attn.k_norm.weight`), config.normEps);
        }
        const attended = attention(q, k.reshape<Tensor3D>([tiles, length, hiddenSize]), v.reshape<Tensor3D>([tiles, length, hiddenSize]), {
          heads,
          kvHeads: heads,
          causal: false,
          starts: null,
          keyMask: null,
        });
        const afterAttention = x.add<Tensor2D>(apply(attended, `${name}.attn.proj`).mul(weights.vector(`${name}.ls1`)));
        const hidden = gelu(apply(normalise(afterAttention, `${name}.norm2`), `${name}.mlp.fc1`));
        return afterAttention.add<Tensor2D>(apply(hidden, `${name}.mlp.fc2`).mul(weights.vector(`${name}.ls2`)));
      });
      x.dispose();
      x = next;
    }
    return x.reshape<Tensor3D>([tiles, length, hiddenSize]).slice<Tensor3D>([0, 1, 0], [tiles, patches, hiddenSize]);
  });
}
