import type { VisionConfig } from '../config.ts';
import type { JsonReader } from '../json-reader.ts';
import { LARGEST_WIDTH } from '../llm-config.ts';

type Sizes = Pick<VisionConfig, 'hiddenSize' | 'heads' | 'layers' | 'intermediateSize' | 'extraRows'>;

/** What every config of an InternViT says in the same words. @throws NvlmError `bad-model` */
export function internVitSizes(vision: JsonReader): Sizes {
  const hiddenSize = vision.integer('hidden_size', null, 1, LARGEST_WIDTH);
  const heads = vision.integer('num_attention_heads', null, 1, 1024);
  if (hiddenSize % heads !== 0) throw vision.error('num_attention_heads', `${heads} does not divide hidden_size ${hiddenSize}`);
  const activation = vision.string('hidden_act', 'gelu');
  if (activation !== 'gelu') throw vision.error('hidden_act', `"${activation}" is not supported`);
  return {
    hiddenSize,
    heads,
    layers: vision.integer('num_hidden_layers', null, 1, 512),
    intermediateSize: vision.integer('intermediate_size', null, 1, LARGEST_WIDTH),
    extraRows: 1,
  };
}

/** By the keys of NVLM and of InternVL's own code. @param qkvBias where the file is silent */
export function internVitConfig(vision: JsonReader, qkvBias: boolean): VisionConfig {
  return {
    ...internVitSizes(vision),
    imageSize: vision.integer('image_size', null, 28, 4096),
    patchSize: vision.integer('patch_size', null, 1, 256),
    qkvBias: vision.boolean('qkv_bias', qkvBias),
    qkNormalization: vision.boolean('qk_normalization', false),
    normType: vision.oneOf('norm_type', ['layer_norm', 'rms_norm'] as const, 'rms_norm'),
    normEps: vision.number('layer_norm_eps', 1e-6, 0, 1),
  };
}
