import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { attention } from '../../ops/attention/attention.ts';
import { geluTanh } from '../../ops/gelu/gelu.ts';
import { layerNorm } from '../../ops/layer-norm/layer-norm.ts';
import { linear } from '../../ops/linear/linear.ts';
import { pixelShuffle } from '../../ops/pixel-shuffle/pixel-shuffle.ts';
import type { NvlmConfig } from '../config.ts';
import { project } from '../project.ts';
import { toPatches } from './patches.ts';
import type { Weights } from '../weights.ts';
import type { VisionNetwork } from '../families/family.ts';
import { SIGLIP, siglipNames as names, type SiglipForm } from './siglip-parameters.ts';

/**
 * SigLIP (Zhai et al. 2023) as `Idefics3VisionTransformer` computes it: patch embedding, learned positions, pre-norm blocks, a norm at the
 * end; no class token.
 *
 * @param pixels [tiles, 3, S, S] f32, normalised
 * @returns [tiles, (S/patch)², hiddenSize]
 */
function encode(pixels: Float32Array, tiles: number, config: NvlmConfig, weights: Weights, { fusedQkv, positions }: SiglipForm): Tensor3D {
  const { hiddenSize, heads, imageSize, patchSize, layers, normEps } = config.vision!;
  const patches = (imageSize / patchSize) ** 2;
  const norm = (x: Tensor2D, name: string): Tensor2D =>
    layerNorm(x, weights.vector(`${name}.weight`), weights.vector(`${name}.bias`), normEps);
  const queriesKeysValues = (x: Tensor2D, name: string): Tensor2D[] =>
    fusedQkv
      ? tf.split(project(x, `${name}.qkv_proj`, weights), 3, 1)
      : ['q_proj', 'k_proj', 'v_proj'].map((projection) => project(x, `${name}.${projection}`, weights));
  return tf.tidy(() => {
    const flat = tf.tensor2d(toPatches(pixels, tiles, imageSize, patchSize), [tiles * patches, 3 * patchSize * patchSize]);
    const embedded = linear(flat, weights.linear(names.patchEmbedding), weights.bias(names.patchEmbedding));
    let x = embedded
      .reshape<Tensor3D>([tiles, patches, hiddenSize])
      .add<Tensor3D>(weights.vector(positions.name).reshape([1, patches, hiddenSize]))
      .reshape<Tensor2D>([tiles * patches, hiddenSize]);
    for (let layer = 0; layer < layers; layer++) {
      const name = names.layer(layer);
      const next = tf.tidy(() => {
        const normed = norm(x, `${name}.layer_norm1`);
        const [q, k, v] = queriesKeysValues(normed, `${name}.self_attn`) as [Tensor2D, Tensor2D, Tensor2D];
        const side = (rows: Tensor2D): Tensor3D => rows.reshape([tiles, patches, hiddenSize]);
        const options = { heads, kvHeads: heads, causal: false, starts: null, keyMask: null };
        const attended = attention(q, side(k), side(v), options);
        const afterAttention = x.add<Tensor2D>(project(attended, `${name}.self_attn.out_proj`, weights));
        const hidden = geluTanh(project(norm(afterAttention, `${name}.layer_norm2`), `${name}.mlp.fc1`, weights));
        return afterAttention.add<Tensor2D>(project(hidden, `${name}.mlp.fc2`, weights));
      });
      x.dispose();
      x = next;
    }
    return norm(x, names.finalNorm).reshape<Tensor3D>([tiles, patches, hiddenSize]);
  });
}

/** Pixel shuffle and one linear without bias. @returns [tiles, tokensPerTile, decoderWidth] */
function connect(encoded: Tensor3D, config: NvlmConfig, weights: Weights): Tensor3D {
  return tf.tidy(() => {
    const shuffled = pixelShuffle(encoded, 'v2', config.shuffle);
    const [tiles, tokens, wide] = shuffled.shape;
    return project(shuffled.reshape<Tensor2D>([tiles * tokens, wide]), names.connector, weights).reshape<Tensor3D>([tiles, tokens, -1]);
  });
}

/** The same computation, whichever way the checkpoint holds its tensors. */
export function siglipNetwork(form: SiglipForm = SIGLIP): VisionNetwork {
  return { encode: (pixels, tiles, config, weights) => encode(pixels, tiles, config, weights, form), connect };
}
