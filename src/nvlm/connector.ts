import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { gelu } from '../ops/gelu/gelu.ts';
import { layerNorm } from '../ops/layer-norm/layer-norm.ts';
import { pixelShuffle } from '../ops/pixel-shuffle/pixel-shuffle.ts';
import type { NvlmConfig } from './config.ts';
import { names } from './names.ts';
import { project } from './project.ts';
import type { Weights } from './weights.ts';

/** PyTorch's LayerNorm default, which the reference ports use (nvlm-facts §3.1). */
const LAYER_NORM_EPS = 1e-5;

/**
 * Pixel shuffle and connector: D and H use LayerNorm → linear → GELU → linear, X uses LayerNorm → linear (design §4).
 *
 * @param encoded [tiles, (S/patch)², visionWidth], the vision encoder's output
 * @returns [tiles, (S/patch)² / 4, decoderWidth]
 */
export function connect(encoded: Tensor3D, config: NvlmConfig, weights: Weights): Tensor3D {
  return tf.tidy(() => {
    const shuffled = pixelShuffle(encoded, config.pixelShuffle);
    const [tiles, tokens, wide] = shuffled.shape;
    let x = layerNorm(
      shuffled.reshape<Tensor2D>([tiles * tokens, wide]),
      weights.vector(`${names.projectorNorm}.weight`),
      weights.vector(`${names.projectorNorm}.bias`),
      LAYER_NORM_EPS,
    );
    x = project(x, names.projectorIn, weights);
    if (config.architecture !== 'NVLM_X') {
      x = project(gelu(x), names.projectorOut, weights);
    }
    return x.reshape<Tensor3D>([tiles, tokens, config.llm.hiddenSize]);
  });
}
