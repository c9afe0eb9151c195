import { standInTokenizerJson } from '../text/stand-in-tokenizer.ts';

/** A published model whose shapes and names a checkpoint of random weights can have. */
export interface SyntheticShape {
  /** The small files by name, config.json among them. @param layers at most so many in the decoder and in the vision encoder */
  files(layers: number): Record<string, object>;
  /** See `visionDummyHeads`. */
  dummyHeads: number;
}

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Generation config and a stand-in tokenizer with Qwen2's control tokens, and those that stand for pictures. */
export function chatMlFiles(imageTokens: Record<string, number>): Record<string, object> {
  return {
    'generation_config.json': { eos_token_id: 151645 },
    'tokenizer.json': standInTokenizerJson({ '<|endoftext|>': 151643, '<|im_start|>': 151644, '<|im_end|>': 151645, ...imageTokens }),
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      chat_template: CHATML,
      model_max_length: 32768,
    },
  };
}

/** A decoder's or an encoder's part of a config.json. */
type Layered = { num_hidden_layers: number } & Record<string, unknown>;

/** Keys that NVLM's and InternVL's configs share, tiles of 448 pixels. */
export function nestedConfig(llm: Layered, vision: Layered, layers: number): object {
  return {
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: 448,
    min_dynamic_patch: 1,
    ps_version: 'v2',
    select_layer: -1,
    use_thumbnail: true,
    torch_dtype: 'bfloat16',
    llm_config: {
      model_type: 'qwen2',
      hidden_act: 'silu',
      rope_theta: 1_000_000,
      rms_norm_eps: 1e-6,
      max_position_embeddings: 32768,
      tie_word_embeddings: false,
      ...llm,
      num_hidden_layers: Math.min(llm.num_hidden_layers, layers),
    },
    vision_config: {
      ...vision,
      num_hidden_layers: Math.min(vision.num_hidden_layers, layers),
      image_size: 448,
      patch_size: 14,
      layer_norm_eps: 1e-6,
      hidden_act: 'gelu',
    },
  };
}

const QWEN2_72B = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 8192,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  intermediate_size: 29568,
  vocab_size: 152064,
};
const INTERN_VIT_6B = {
  hidden_size: 3200,
  num_hidden_layers: 45,
  num_attention_heads: 25,
  intermediate_size: 12800,
  qkv_bias: false,
  qk_normalization: true,
  norm_type: 'rms_norm',
};
export const QWEN2_05B = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 896,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  intermediate_size: 4864,
};
export const INTERN_VIT_300M = {
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
  qkv_bias: true,
  qk_normalization: false,
  norm_type: 'layer_norm',
};
/** 10 cross-attention layers of 80. */
export const CROSS_ATTENTION_EVERY = 8;

interface NvlmShape {
  dummyHeads?: number;
  /** One layer of so many cross-attends; 0 = none. */
  crossAttentionEvery?: number;
}

/** NVLM-1.0 72B (NVLM paper, table 11). @param config what its config.json calls it */
export function nvlm72b(config: object, shape: NvlmShape): SyntheticShape {
  return nvlm({ max_dynamic_patch: 6, ...config }, QWEN2_72B, INTERN_VIT_6B, shape);
}

/** The same architectures around Qwen2.5-0.5B and InternViT-300M, the parts of InternVL2.5-1B: real shapes that a laptop carries. */
export function nvlm05b(config: object, shape: NvlmShape): SyntheticShape {
  const llm = { ...QWEN2_05B, vocab_size: 151936, tie_word_embeddings: true };
  return nvlm({ max_dynamic_patch: 12, ...config }, llm, INTERN_VIT_300M, shape);
}

function nvlm(config: object, llm: Layered, vision: Layered, { dummyHeads = 0, crossAttentionEvery = 0 }: NvlmShape): SyntheticShape {
  return {
    dummyHeads,
    files: (layers) => ({
      ...chatMlFiles({ '<|vision_start|>': 151652, '<|vision_end|>': 151653, '<|vision_pad|>': 151654 }),
      'config.json': {
        ...config,
        // With fewer layers than that, one has to be there all the same.
        ...(crossAttentionEvery > 0 && { cross_attention_every: Math.min(crossAttentionEvery, layers) }),
        ...nestedConfig(llm, vision, layers),
      },
    }),
  };
}
