import { standInTokenizerJson } from '../../../text/stand-in-tokenizer.ts';
import type { SyntheticShape } from '../../synthetic-shape.ts';

const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** SmolLM2's, its pieces' ids shifted to the end: the stand-in's letters take the beginning. */
const VOCABULARY = 49152;
const controlTokens = { '<|endoftext|>': 49149, '<|im_start|>': 49150, '<|im_end|>': 49151 };

const SMOLLM2_135M = { lm_hidden_dim: 576, lm_inter_dim: 1536, lm_n_blocks: 30, lm_n_heads: 9, lm_n_kv_heads: 3 };
const SMOLLM2_360M = { lm_hidden_dim: 960, lm_inter_dim: 2560, lm_n_blocks: 32, lm_n_heads: 15, lm_n_kv_heads: 5 };

/** Of the image, of the whole picture, and of 8 × 8 tiles. */
const TILE_TOKENS: Record<string, string> = { image_token: '<|image|>', global_image_token: '<|global_image|>' };
for (let row = 1; row <= 8; row++) for (let col = 1; col <= 8; col++) TILE_TOKENS[`r${row}c${col}`] = `<row_${row}_col_${col}>`;

interface Shape {
  decoder: typeof SMOLLM2_135M;
  /** Pixels a side. */
  tile: number;
  shuffle: number;
  extraTokens?: Record<string, string>;
  /** Keys of its release. */
  more: object;
}

function shape({ decoder, tile, shuffle, extraTokens = {}, more }: Shape): SyntheticShape {
  return {
    dummyHeads: 0,
    files: (layers) => ({
      'tokenizer.json': standInTokenizerJson(controlTokens, VOCABULARY),
      'tokenizer_config.json': {
        tokenizer_class: 'PreTrainedTokenizerFast',
        eos_token: 'lm_chat_template' in more ? '<|im_end|>' : '<|endoftext|>',
        pad_token: '<|im_end|>',
        model_max_length: 8192,
      },
      'config.json': {
        vit_hidden_dim: 768,
        vit_inter_dim: 3072,
        vit_patch_size: 16,
        vit_img_size: tile,
        vit_n_heads: 12,
        vit_n_blocks: Math.min(12, layers),
        vit_ln_eps: 1e-6,
        vit_cls_flag: false,
        ...decoder,
        lm_n_blocks: Math.min(decoder.lm_n_blocks, layers),
        lm_rms_eps: 1e-5,
        lm_re_base: 100000,
        lm_max_position_embeddings: 8192,
        lm_vocab_size: VOCABULARY + Object.keys(extraTokens).length,
        lm_attn_scaling: 1,
        lm_tie_weights: true,
        mp_pixel_shuffle_factor: shuffle,
        ...(Object.keys(extraTokens).length > 0 && { vlm_extra_tokens: extraTokens }),
        ...more,
      },
    }),
  };
}

const image = { image_token: '<|image|>' };
const tiled = { tile: 512, shuffle: 4, extraTokens: TILE_TOKENS };
const tiledKeys = { mp_image_token_length: 64, max_img_size: 2048, resize_to_max_side_len: true, lm_chat_template: CHATML };

export const tiledShapes: Readonly<Record<string, SyntheticShape>> = {
  'nanovlm-230m-8k': shape({ ...tiled, decoder: SMOLLM2_135M, more: tiledKeys }),
  'nanovlm-460m-8k': shape({ ...tiled, decoder: SMOLLM2_360M, more: tiledKeys }),
};

export const wholeShapes: Readonly<Record<string, SyntheticShape>> = {
  'nanovlm-222m': shape({ decoder: SMOLLM2_135M, tile: 224, shuffle: 2, more: { IMAGE_TOKEN_LENGTH: 49 } }),
  'nanovlm-450m': shape({ decoder: SMOLLM2_360M, tile: 256, shuffle: 2, extraTokens: image, more: { mp_image_token_length: 64 } }),
};
