import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { gelu } from '../../ops/gelu/gelu.ts';
import { layerNorm } from '../../ops/layer-norm/layer-norm.ts';
import { pixelShuffle } from '../../ops/pixel-shuffle/pixel-shuffle.ts';
import type { NvlmConfig } from '../config.ts';
import { project } from '../project.ts';
import type { Weights } from '../weights.ts';
import { connectorNames as names } from './mlp-connector-parameters.ts';

/** PyTorch's LayerNorm default, which the reference ports use. */
const LAYER_NORM_EPS = 1e-5;

/**
 * Pixel shuffle, LayerNorm and the first linear, which is all of X's connector.
 *
 * @param encoded [tiles, (S/patch)², visionWidth], the vision encoder's output
 * @returns [tiles, tokensPerTile, decoderWidth or the width between the linears]
 */
export function connectLinear(encoded: Tensor3D, config: NvlmConfig, weights: Weights): Tensor3D {
  return tf.tidy(() => {
    const shuffled = pixelShuffle(encoded, config.pixelShuffle, config.shuffle);
    const [tiles, tokens, wide] = shuffled.shape;
    const x = layerNorm(
      shuffled.reshape<Tensor2D>([tiles * tokens, wide]),
      weights.vector(`${names.norm}.weight`),
      weights.vector(`${names.norm}.bias`),
      LAYER_NORM_EPS,
    );
    return project(x, names.in, weights).reshape<Tensor3D>([tiles, tokens, -1]);
  });
}

/** Pixel shuffle, LayerNorm → linear → GELU → linear: the connector of D, H and InternVL. @returns [tiles, tokensPerTile, decoderWidth] */
export function connectMlp(encoded: Tensor3D, config: NvlmConfig, weights: Weights): Tensor3D {
  return tf.tidy(() => {
    const inner = connectLinear(encoded, config, weights);
    const [tiles, tokens, middle] = inner.shape;
    const x = project(gelu(inner.reshape<Tensor2D>([tiles * tokens, middle])), names.out, weights);
    return x.reshape<Tensor3D>([tiles, tokens, config.llm.hiddenSize]);
  });
}
