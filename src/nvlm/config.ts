import { NvlmError } from '../errors.ts';
import { internVLConversation } from '../text/internvl-conversations.ts';
import type { Architecture } from '../text/types.ts';
import type { TagFormat } from '../tiling/types.ts';
import { JsonReader } from './json-reader.ts';

/** InternViT: pre-norm blocks with layer scale, learned positions, no final norm (nvlm-facts §3.2). */
export interface VisionConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  intermediateSize: number;
  imageSize: number;
  patchSize: number;
  qkvBias: boolean;
  /** RMSNorm over the full width of queries and keys, before the head split. */
  qkNormalization: boolean;
  normType: 'layer_norm' | 'rms_norm';
  normEps: number;
}

export type RopeScaling =
  | { type: 'none' }
  | { type: 'linear'; factor: number }
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositions: number };

/** Qwen2 / Qwen3 / Llama decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
export interface LlmConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  vocabSize: number;
  rmsNormEps: number;
  ropeTheta: number;
  ropeScaling: RopeScaling;
  maxPositions: number;
  tieWordEmbeddings: boolean;
  qkvBias: boolean;
  /** Of the attention's output projection; Qwen2 biases only what goes in. */
  outputBias: boolean;
  mlpBias: boolean;
  /** RMSNorm over each head of queries and keys, before rotation (Qwen3). */
  qkNorm: boolean;
}

export interface ProjectorConfig {
  /** Width between the two linears; unused by X, whose connector is one linear. */
  hiddenSize: number;
  bias: boolean;
}

/** One model of the family, or with `vision: null` a plain text model (an NVLM-D that never meets an image). */
export interface NvlmConfig {
  architecture: Architecture;
  vision: VisionConfig | null;
  llm: LlmConfig;
  projector: ProjectorConfig;
  /** X and H: gated cross-attention in decoder layers l with (l + 1) mod this = 0. */
  crossAttentionEvery: number;
  tileSize: number;
  maxTiles: number;
  useThumbnail: boolean;
  tagFormat: TagFormat;
  /** Wrapper and tags tokenised as one text, as the Hugging Face port does; otherwise apart, as Megatron does. */
  joinTags: boolean;
  wrapper: { open: string; close: string };
  pixelShuffle: 'v1' | 'v2';
  /** Id that stands where visual tokens go; null when only the tokenizer knows it. */
  imageTokenId: number | null;
  systemMessage: string | null;
  /** Jinja, where the model's own code writes conversations by it instead of the tokenizer's template; else null. */
  chatTemplate: string | null;
}

const SIZE = 1 << 20;

/**
 * Reads an untrusted `config.json`: ours (`model_type: "nvlm"`), NVLM-D-72B, InternVL chat models in their original and their `-hf`
 * layout, plain Qwen2 / Qwen3 / Llama.
 *
 * @throws NvlmError `bad-model` for a missing or absurd value, `unsupported-model` for an architecture that this engine has not got.
 */
export function parseConfig(json: unknown): NvlmConfig {
  const config = JsonReader.open(json, 'config.json');
  const modelType = config.string('model_type', '');
  refuseForeignQuantization(config);
  if (config.has('llm_config')) return parseVisionLanguage(config, modelType);
  if (config.has('text_config') && modelType === 'internvl') return parseInternVLHf(config);
  if (modelType === 'qwen2' || modelType === 'qwen3' || modelType === 'llama') return parseTextOnly(config);
  throw unsupported(modelType || config.string('architecture', '') || 'no model_type');
}

function unsupported(name: string): NvlmError {
  return new NvlmError(
    'unsupported-model',
    `config.json describes "${name}", which is not an architecture this engine knows.`,
    'Use an NVLM-D, NVLM-X or NVLM-H folder, an InternVL chat model, or a plain Qwen2, Qwen3 or Llama text model.',
  );
}

function parseVisionLanguage(config: JsonReader, modelType: string): NvlmConfig {
  const declared = config.string('architecture', '') || config.firstString('architectures') || modelType;
  const architecture = architectureOf(declared);
  const isInternVL = declared === 'InternVLChatModel' || modelType === 'internvl_chat';
  const llm = parseLlm(config.object('llm_config'));
  const vision = parseVision(config.object('vision_config'), isInternVL);
  const tileSize = config.integer('force_image_size', vision.imageSize, 28, 4096);
  if (tileSize !== vision.imageSize) {
    throw new NvlmError(
      'unsupported-model',
      `force_image_size ${tileSize} differs from the vision encoder's image_size ${vision.imageSize}.`,
      'Use a checkpoint whose position embedding was stored for its own tile size.',
    );
  }
  if (tileSize % (2 * vision.patchSize) !== 0) {
    throw config.error('force_image_size', `${tileSize} is not a multiple of two patches (${2 * vision.patchSize})`);
  }
  if (config.number('downsample_ratio', 0.5, 0.01, 1) !== 0.5) throw config.error('downsample_ratio', 'only 0.5 is supported');
  if (config.number('select_layer', -1, -1000, 1000) !== -1) throw config.error('select_layer', 'only -1 is supported');
  const conversation = isInternVL ? internVLConversation(config.string('template', '')) : null;
  return {
    architecture,
    vision,
    llm,
    projector: {
      hiddenSize: config.integer('projector_hidden_size', isInternVL ? llm.hiddenSize : llm.intermediateSize, 1, SIZE),
      bias: config.boolean('projector_bias', isInternVL),
    },
    crossAttentionEvery: config.integer('cross_attention_every', 1, 1, 1024),
    tileSize,
    maxTiles: config.integer('max_dynamic_patch', 6, 1, 64),
    useThumbnail: config.boolean('use_thumbnail', true),
    tagFormat: config.oneOf('tile_tags', ['1d', '2d-grid', '2d-bbox', 'none'] as const, isInternVL ? 'none' : '1d'),
    joinTags: config.boolean('joined_tags', false),
    wrapper: isInternVL ? { open: '<img>', close: '</img>' } : { open: '<Image>', close: '</Image>' },
    // The config class of InternVL reads an absent key as v1 (nvlm-facts §1.3); NVLM has only ever used v2.
    pixelShuffle: config.oneOf('ps_version', ['v1', 'v2'] as const, isInternVL ? 'v1' : 'v2'),
    imageTokenId: config.has('image_token_id') ? config.integer('image_token_id', 0, 0, llm.vocabSize - 1) : null,
    systemMessage: config.string('system_message', '') || conversation?.systemMessage || null,
    chatTemplate: conversation?.chatTemplate ?? null,
  };
}

/** The config of `InternVLForConditionalGeneration`: what is not a key there is fixed by that class and its processor. */
function parseInternVLHf(config: JsonReader): NvlmConfig {
  const llm = parseLlm(config.object('text_config'), config.boolean('tie_word_embeddings', false));
  const vision = parseVisionHf(config.object('vision_config'));
  if (vision.imageSize % (2 * vision.patchSize) !== 0) {
    throw config.error('vision_config', `has an image_size ${vision.imageSize} that is not a multiple of two patches`);
  }
  if (config.number('downsample_ratio', 0.5, 0.01, 1) !== 0.5) throw config.error('downsample_ratio', 'only 0.5 is supported');
  if (config.number('vision_feature_layer', -1, -1000, 1000) !== -1) {
    throw config.error('vision_feature_layer', 'only -1 is supported');
  }
  config.oneOf('projector_hidden_act', ['gelu'] as const, 'gelu');
  return {
    architecture: 'NVLM_D',
    vision,
    llm,
    projector: { hiddenSize: llm.hiddenSize, bias: true },
    crossAttentionEvery: 1,
    tileSize: vision.imageSize,
    maxTiles: 12,
    useThumbnail: true,
    tagFormat: 'none',
    joinTags: false,
    wrapper: { open: '<img>', close: '</img>' },
    pixelShuffle: 'v2',
    imageTokenId: config.has('image_token_id') ? config.integer('image_token_id', 0, 0, llm.vocabSize - 1) : null,
    systemMessage: null,
    chatTemplate: null,
  };
}

/** Packed weights of other schemes would pass for missing tensors; their names say it better. */
function refuseForeignQuantization(config: JsonReader): void {
  for (const key of ['quantization', 'quantization_config']) {
    if (!config.has(key)) continue;
    const quantization = config.object(key);
    const method = quantization.string('quant_method', '') || quantization.string('mode', 'affine');
    if (method === 'affine') continue;
    throw new NvlmError(
      'unsupported-model',
      `config.json: ${key} says "${method}", and of quantised weights only MLX's affine 4 and 8 bits are supported.`,
      'Use the f32, f16 or bf16 checkpoint (--quantize packs it while loading), or an MLX one of 4 or 8 bits.',
    );
  }
}

function architectureOf(declared: string): Architecture {
  switch (declared) {
    case 'NVLM_D':
    case 'InternVLChatModel':
      return 'NVLM_D';
    case 'NVLM_X':
    case 'NVLM_H':
      return declared;
    default:
      throw unsupported(declared);
  }
}

function parseVision(vision: JsonReader, isInternVL: boolean): VisionConfig {
  const hiddenSize = vision.integer('hidden_size', null, 1, SIZE);
  const heads = vision.integer('num_attention_heads', null, 1, 1024);
  if (hiddenSize % heads !== 0) throw vision.error('num_attention_heads', `${heads} does not divide hidden_size ${hiddenSize}`);
  const activation = vision.string('hidden_act', 'gelu');
  if (activation !== 'gelu') throw vision.error('hidden_act', `"${activation}" is not supported`);
  return {
    hiddenSize,
    heads,
    layers: vision.integer('num_hidden_layers', null, 1, 512),
    intermediateSize: vision.integer('intermediate_size', null, 1, SIZE),
    imageSize: vision.integer('image_size', null, 28, 4096),
    patchSize: vision.integer('patch_size', null, 1, 256),
    qkvBias: vision.boolean('qkv_bias', isInternVL),
    qkNormalization: vision.boolean('qk_normalization', false),
    normType: vision.oneOf('norm_type', ['layer_norm', 'rms_norm'] as const, 'rms_norm'),
    normEps: vision.number('layer_norm_eps', 1e-6, 0, 1),
  };
}

/** The same encoder by the names of transformers' `InternVLVisionConfig`, where sizes may be pairs. */
function parseVisionHf(vision: JsonReader): VisionConfig {
  const hiddenSize = vision.integer('hidden_size', null, 1, SIZE);
  const heads = vision.integer('num_attention_heads', null, 1, 1024);
  if (hiddenSize % heads !== 0) throw vision.error('num_attention_heads', `${heads} does not divide hidden_size ${hiddenSize}`);
  const activation = vision.string('hidden_act', 'gelu');
  if (activation !== 'gelu') throw vision.error('hidden_act', `"${activation}" is not supported`);
  if (!vision.boolean('use_absolute_position_embeddings', true)) {
    throw vision.error('use_absolute_position_embeddings', 'is false, and this encoder has learned positions');
  }
  return {
    hiddenSize,
    heads,
    layers: vision.integer('num_hidden_layers', null, 1, 512),
    intermediateSize: vision.integer('intermediate_size', null, 1, SIZE),
    imageSize: vision.side('image_size', 448, 28, 4096),
    patchSize: vision.side('patch_size', 14, 1, 256),
    qkvBias: vision.boolean('attention_bias', false),
    qkNormalization: vision.boolean('use_qk_norm', false),
    normType: vision.oneOf('norm_type', ['layer_norm', 'rms_norm'] as const, 'layer_norm'),
    normEps: vision.number('layer_norm_eps', 1e-6, 0, 1),
  };
}

/** @param tied what the config around this one says, which counts where this one is silent */
function parseLlm(llm: JsonReader, tied = false): LlmConfig {
  const family = llm.firstString('architectures') || llm.string('model_type', '');
  const isQwen2 = /qwen2/i.test(family);
  const isQwen3 = /qwen3/i.test(family);
  if (!isQwen2 && !isQwen3 && !/llama/i.test(family)) throw unsupported(family || 'a decoder without a name');
  const hiddenSize = llm.integer('hidden_size', null, 1, SIZE);
  const heads = llm.integer('num_attention_heads', null, 1, 1024);
  const kvHeads = llm.integer('num_key_value_heads', heads, 1, 1024);
  if (heads % kvHeads !== 0) throw llm.error('num_key_value_heads', `${kvHeads} does not divide ${heads} heads`);
  const headDim = llm.integer('head_dim', Math.floor(hiddenSize / heads), 2, 1024);
  if (headDim % 2 !== 0) throw llm.error('head_dim', `${headDim} is odd, rotary positions need pairs`);
  const activation = llm.string('hidden_act', 'silu');
  if (activation !== 'silu') throw llm.error('hidden_act', `"${activation}" is not supported`);
  if (llm.boolean('use_sliding_window', false)) throw llm.error('use_sliding_window', 'is true, and this decoder attends to everything');
  return {
    hiddenSize,
    heads,
    kvHeads,
    headDim,
    layers: llm.integer('num_hidden_layers', null, 1, 512),
    intermediateSize: llm.integer('intermediate_size', null, 1, SIZE),
    vocabSize: llm.integer('vocab_size', null, 2, 1 << 22),
    rmsNormEps: llm.number('rms_norm_eps', 1e-6, 0, 1),
    ...parseRope(llm),
    maxPositions: llm.integer('max_position_embeddings', 2048, 1, 1 << 24),
    tieWordEmbeddings: llm.boolean('tie_word_embeddings', tied),
    // Fixed in Qwen2; in Llama and Qwen3 one key biases all four projections.
    qkvBias: isQwen2 || llm.boolean('attention_bias', false),
    outputBias: !isQwen2 && llm.boolean('attention_bias', false),
    mlpBias: !isQwen2 && !isQwen3 && llm.boolean('mlp_bias', false),
    qkNorm: isQwen3,
  };
}

/** transformers 5 writes `rope_parameters`, earlier versions `rope_theta` and `rope_scaling`. */
function parseRope(llm: JsonReader): Pick<LlmConfig, 'ropeTheta' | 'ropeScaling'> {
  const theta = llm.number('rope_theta', 10_000, 1, 1e12);
  if (llm.has('rope_parameters')) {
    const parameters = llm.object('rope_parameters');
    return { ropeTheta: parameters.number('rope_theta', theta, 1, 1e12), ropeScaling: parseRopeScaling(parameters) };
  }
  return { ropeTheta: theta, ropeScaling: llm.has('rope_scaling') ? parseRopeScaling(llm.object('rope_scaling')) : { type: 'none' } };
}

function parseRopeScaling(scaling: JsonReader): RopeScaling {
  const type = scaling.string('rope_type', '') || scaling.string('type', 'default');
  switch (type) {
    case 'default':
    case 'dynamic': // NTK changes the base only past the trained length, where this engine refuses to go.
      return { type: 'none' };
    case 'linear':
      return { type, factor: scaling.number('factor', null, 1e-3, 1e6) };
    case 'llama3':
      return {
        type,
        factor: scaling.number('factor', null, 1e-3, 1e6),
        lowFreqFactor: scaling.number('low_freq_factor', null, 1e-3, 1e6),
        highFreqFactor: scaling.number('high_freq_factor', null, 1e-3, 1e6),
        originalMaxPositions: scaling.integer('original_max_position_embeddings', null, 1, 1 << 24),
      };
    default:
      throw scaling.error('rope_type', `"${type}" is not supported`);
  }
}

function parseTextOnly(config: JsonReader): NvlmConfig {
  const llm = parseLlm(config);
  return {
    architecture: 'NVLM_D',
    vision: null,
    llm,
    projector: { hiddenSize: llm.intermediateSize, bias: false },
    crossAttentionEvery: 1,
    tileSize: 448,
    maxTiles: 1,
    useThumbnail: false,
    tagFormat: 'none',
    joinTags: false,
    wrapper: { open: '', close: '' },
    pixelShuffle: 'v2',
    imageTokenId: null,
    systemMessage: config.string('system_message', '') || null,
    chatTemplate: null,
  };
}

/** Visual tokens of one tile after the 2 × 2 pixel shuffle. */
export function tokensPerTile(config: NvlmConfig): number {
  if (!config.vision) return 0;
  return (config.tileSize / config.vision.patchSize / 2) ** 2;
}

/** Does decoder layer `layer` (from 0) read image tokens through gated cross-attention? */
export function hasCrossAttention(config: NvlmConfig, layer: number): boolean {
  return config.architecture !== 'NVLM_D' && (layer + 1) % config.crossAttentionEvery === 0;
}
