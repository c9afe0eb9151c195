import { NvlmError } from '../errors.ts';
import type { LlmConfig, RopeScaling } from './config.ts';
import type { JsonReader } from './json-reader.ts';
import { unsupportedModel } from './unsupported-model.ts';

/** Largest width of any layer: beyond it a file is damaged, or an attack. */
export const LARGEST_WIDTH = 1 << 20;

/**
 * A Qwen2, Qwen3 or Llama decoder by its Hugging Face keys.
 * @param tied what the config around this one says: transformers ties head and embedding where either does
 * @throws NvlmError `bad-model` for absurd sizes, `unsupported-model` for other decoders
 */
export function parseLlm(llm: JsonReader, tied = false): LlmConfig {
  const family = llm.firstString('architectures') || llm.string('model_type', '');
  const isQwen2 = /qwen2/i.test(family);
  const isQwen3 = /qwen3/i.test(family);
  if (/moe/i.test(family) || (!isQwen2 && !isQwen3 && !/llama/i.test(family))) throw unsupportedModel(family || 'a decoder without a name');
  const hiddenSize = llm.integer('hidden_size', null, 1, LARGEST_WIDTH);
  const heads = llm.integer('num_attention_heads', null, 1, 1024);
  const kvHeads = llm.integer('num_key_value_heads', heads, 1, 1024);
  if (heads % kvHeads !== 0) throw llm.error('num_key_value_heads', `${kvHeads} does not divide ${heads} heads`);
  const headDim = llm.integer('head_dim', Math.floor(hiddenSize / heads), 2, 1024);
  if (headDim % 2 !== 0) throw llm.error('head_dim', `${headDim} is odd, rotary positions need pairs`);
  const activation = llm.string('hidden_act', 'silu');
  if (activation !== 'silu') throw llm.error('hidden_act', `"${activation}" is not supported`);
  if (llm.boolean('use_sliding_window', false)) {
    throw new NvlmError(
      'unsupported-model',
      'config.json turns sliding-window attention on (use_sliding_window), and this decoder attends to everything.',
      'Take a release of the model with "use_sliding_window": false, as nearly all are published.',
    );
  }
  return {
    hiddenSize,
    heads,
    kvHeads,
    headDim,
    layers: llm.integer('num_hidden_layers', null, 1, 512),
    intermediateSize: llm.integer('intermediate_size', null, 1, LARGEST_WIDTH),
    vocabSize: llm.integer('vocab_size', null, 2, 1 << 22),
    rmsNormEps: llm.number('rms_norm_eps', 1e-6, 0, 1),
    ...parseRope(llm),
    maxPositions: llm.integer('max_position_embeddings', 2048, 1, 1 << 24),
    tieWordEmbeddings: llm.boolean('tie_word_embeddings', false) || tied,
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
      throw new NvlmError(
        'unsupported-model',
        `config.json stretches rotary positions by "${type}" for contexts longer than the model was trained on, which this engine does not.`,
        'Take the release without it, or remove "rope_scaling" from config.json: the trained length then is the longest context.',
      );
  }
}
