import { NvlmError } from '../../../errors.ts';
import type { Normalisation } from '../../../tiling/pixel-values.ts';
import type { LlmConfig, NvlmConfig, VisionConfig } from '../../config.ts';
import type { JsonReader } from '../../json-reader.ts';
import { LARGEST_WIDTH } from '../../llm-config.ts';
import { QUESTION_ANSWER, tiledLayout, wholeLayout } from './layout.ts';
import { sideTiler, wholeTiler } from './tiler.ts';

/** Samples are divided by 255 and nothing else. */
const AS_THEY_ARE: Normalisation = { mean: [0, 0, 0], std: [1, 1, 1] };
/** Tiles a side for which there are tags (`r8c8`). */
const MOST_ACROSS = 8;

type Parsed = Omit<NvlmConfig, 'family'>;

/** The one flat config.json of nanoVLM's `VLMConfig`. */
export function isNanovlm(config: JsonReader): boolean {
  return config.has('vit_hidden_dim') && config.has('lm_hidden_dim') && config.has('mp_pixel_shuffle_factor');
}

/** Are pictures cut into tiles that have tags of their own? */
export function isTiled(config: JsonReader): boolean {
  return config.has('vlm_extra_tokens') && config.object('vlm_extra_tokens').has('r1c1');
}

/** Models of `max_img_size`: tiles behind their tags, the whole picture first. */
export function parseTiled(config: JsonReader): Parsed {
  const parsed = parseNetwork(config);
  const { imageSize, patchSize } = parsed.vision;
  const tokens = config.object('vlm_extra_tokens');
  const longestSide = config.integer('max_img_size', imageSize, 28, 1 << 16);
  const across = longestSide / imageSize;
  if (!Number.isInteger(across) || across > MOST_ACROSS) {
    throw config.error('max_img_size', `is ${longestSide}, not 1 to ${MOST_ACROSS} tiles of ${imageSize} pixels`);
  }
  if (!tokens.has('global_image_token')) {
    throw new NvlmError(
      'unsupported-model',
      'config.json names tags of tiles and no global_image_token: nanoVLM was written so for a few weeks, before the whole picture stood first.',
      'Take a model of the releases before or after, such as lusxvr/nanoVLM-450M or lusxvr/nanoVLM-230M-8k.',
    );
  }
  tokens.oneOf('global_image_token', ['<|global_image|>'] as const, '<|global_image|>');
  for (let k = 0; k < across ** 2; k++) {
    const [row, col] = [Math.floor(k / across) + 1, (k % across) + 1];
    if (tokens.string(`r${row}c${col}`, '') !== `<row_${row}_col_${col}>`) {
      throw tokens.error(`r${row}c${col}`, `is not <row_${row}_col_${col}>, the tag of a tile that max_img_size allows`);
    }
  }
  const enlarge = config.boolean('resize_to_max_side_len', false);
  const tiler = sideTiler({ longestSide, enlarge, tileSize: imageSize, tileStep: parsed.shuffle * patchSize });
  return { ...parsed, maxTiles: tiler.mostTiles, useThumbnail: true, tagFormat: 'row-col-global', tiler, layout: tiledLayout };
}

/** The models before: one tile that stands before all words. */
export function parseWhole(config: JsonReader): Parsed {
  const parsed = parseNetwork(config);
  const tiler = wholeTiler(parsed.shuffle * parsed.vision.patchSize);
  // The first of all had no token for pictures: their rows stand in front of the words and have no id. Here it is one behind the vocabulary.
  const imageTokenId = parsed.extraTokens.length === 0 ? parsed.llm.vocabSize : null;
  return { ...parsed, imageTokenId, maxTiles: 1, useThumbnail: false, tagFormat: 'none', tiler, layout: wholeLayout };
}

function parseNetwork(config: JsonReader) {
  const vision = parseVision(config);
  const llm = parseDecoder(config);
  const shuffle = config.integer('mp_pixel_shuffle_factor', null, 1, 16);
  const grid = vision.imageSize / vision.patchSize;
  if (grid % shuffle !== 0) throw config.error('mp_pixel_shuffle_factor', `${shuffle} does not divide ${grid} patches a side`);
  // The first of all called it by another name.
  for (const key of ['mp_image_token_length', 'IMAGE_TOKEN_LENGTH']) {
    const tokens = (grid / shuffle) ** 2;
    if (config.integer(key, tokens, 1, 1 << 16) !== tokens) throw config.error(key, `is not the ${tokens} tokens that a tile becomes`);
  }
  const extraTokens = config.has('vlm_extra_tokens') ? config.object('vlm_extra_tokens').strings() : [];
  return {
    vision,
    llm,
    projector: { hiddenSize: llm.hiddenSize, bias: false },
    crossAttentionEvery: 1,
    tileSize: vision.imageSize,
    normalisation: AS_THEY_ARE,
    shuffle,
    pixelShuffle: 'v2' as const,
    imageTokenId: null,
    systemMessage: null,
    chatTemplate: config.string('lm_chat_template', '') || QUESTION_ANSWER,
    extraTokens,
  };
}

function parseVision(config: JsonReader): VisionConfig {
  const hiddenSize = config.integer('vit_hidden_dim', null, 1, LARGEST_WIDTH);
  const heads = config.integer('vit_n_heads', 12, 1, 1024);
  if (hiddenSize % heads !== 0) throw config.error('vit_n_heads', `${heads} does not divide vit_hidden_dim ${hiddenSize}`);
  if (config.boolean('vit_cls_flag', false)) throw config.error('vit_cls_flag', 'is true, and this encoder has no class token');
  const imageSize = config.integer('vit_img_size', null, 28, 4096);
  const patchSize = config.integer('vit_patch_size', 16, 1, 256);
  if (imageSize % patchSize !== 0) throw config.error('vit_img_size', `${imageSize} is not a multiple of vit_patch_size ${patchSize}`);
  return {
    hiddenSize,
    heads,
    layers: config.integer('vit_n_blocks', 12, 1, 512),
    intermediateSize: config.integer('vit_inter_dim', 4 * hiddenSize, 1, LARGEST_WIDTH),
    imageSize,
    patchSize,
    extraRows: 0,
    qkvBias: true,
    qkNormalization: false,
    normType: 'layer_norm',
    normEps: config.number('vit_ln_eps', 1e-6, 0, 1),
  };
}

/** A Llama without biases. */
function parseDecoder(config: JsonReader): LlmConfig {
  const hiddenSize = config.integer('lm_hidden_dim', null, 1, LARGEST_WIDTH);
  const heads = config.integer('lm_n_heads', null, 1, 1024);
  const kvHeads = config.integer('lm_n_kv_heads', heads, 1, 1024);
  if (hiddenSize % (2 * heads) !== 0) throw config.error('lm_n_heads', `${heads} does not cut lm_hidden_dim ${hiddenSize} into even heads`);
  if (heads % kvHeads !== 0) throw config.error('lm_n_kv_heads', `${kvHeads} does not divide ${heads} heads`);
  // It scales sine and cosine, and with them what the head dimension already divides.
  if (config.number('lm_attn_scaling', 1, 0, 1e6) !== 1) throw config.error('lm_attn_scaling', 'only 1 is supported');
  return {
    hiddenSize,
    heads,
    kvHeads,
    headDim: hiddenSize / heads,
    layers: config.integer('lm_n_blocks', null, 1, 512),
    intermediateSize: config.integer('lm_inter_dim', null, 1, LARGEST_WIDTH),
    vocabSize: config.integer('lm_vocab_size', null, 2, 1 << 22),
    rmsNormEps: config.number('lm_rms_eps', 1e-5, 0, 1),
    ropeTheta: config.number('lm_re_base', 100_000, 1, 1e12),
    // Stretched past the trained length alone, where this engine refuses to go.
    ropeScaling: { type: 'none' },
    maxPositions: config.integer('lm_max_position_embeddings', 8192, 1, 1 << 24),
    tieWordEmbeddings: config.boolean('lm_tie_weights', true),
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    qkNorm: false,
  };
}
