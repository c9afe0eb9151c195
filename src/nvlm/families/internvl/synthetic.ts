import { chatMlFiles, INTERN_VIT_300M, nestedConfig, QWEN2_05B, type SyntheticShape } from '../../synthetic-shape.ts';

const QWEN3_06B = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  hidden_size: 1024,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  attention_bias: false,
};

/** @param contextToken id of `<IMG_CONTEXT>`, behind `<img>` and `</img>` */
function shape(llm: typeof QWEN2_05B, vocabulary: number, contextToken: number): SyntheticShape {
  return {
    dummyHeads: 0,
    files: (layers) => ({
      ...chatMlFiles({ '<img>': contextToken - 2, '</img>': contextToken - 1, '<IMG_CONTEXT>': contextToken }),
      'config.json': {
        architectures: ['InternVLChatModel'],
        model_type: 'internvl_chat',
        max_dynamic_patch: 12,
        ...nestedConfig({ ...llm, vocab_size: vocabulary }, INTERN_VIT_300M, layers),
      },
    }),
  };
}

export const internvlShapes: Readonly<Record<string, SyntheticShape>> = {
  'internvl3_5-1b': shape(QWEN3_06B, 151936, 151671),
  'internvl2_5-1b': shape(QWEN2_05B, 151674, 151667),
  'internvl2-1b': shape(QWEN2_05B, 151655, 151648),
};
