import { standInTokenizerJson } from '../../../text/stand-in-tokenizer.ts';
import type { SyntheticShape } from '../../synthetic-shape.ts';

const TEMPLATE =
  "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}" +
  "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}" +
  "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

const VOCABULARY = 49280;
/** At the end of the vocabulary: the stand-in's letters take the beginning. */
const controlTokens: Record<string, number> = {
  '<|endoftext|>': 49150,
  '<|im_start|>': 49151,
  '<|im_end|>': 49154,
  '<fake_token_around_image>': 49189,
  '<image>': 49190,
  '<global-img>': 49152,
  '<end_of_utterance>': 49279,
};
for (let row = 1; row <= 6; row++) {
  for (let col = 1; col <= 6; col++) controlTokens[`<row_${row}_col_${col}>`] = 49191 + (row - 1) * 6 + (col - 1);
}

interface Decoder {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
}

function shape(decoder: Decoder): SyntheticShape {
  const processor = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], resample: 1, do_image_splitting: true };
  return {
    dummyHeads: 0,
    files: (layers) => ({
      'generation_config.json': { eos_token_id: controlTokens['<end_of_utterance>'] },
      'tokenizer.json': standInTokenizerJson(controlTokens, VOCABULARY),
      'tokenizer_config.json': {
        tokenizer_class: 'PreTrainedTokenizerFast',
        bos_token: '<|im_start|>',
        eos_token: '<end_of_utterance>',
        pad_token: '<|im_end|>',
        model_max_length: 8192,
      },
      'chat_template.json': { chat_template: TEMPLATE },
      'preprocessor_config.json': { ...processor, size: { longest_edge: 2048 }, max_image_size: { longest_edge: 512 } },
      'config.json': {
        architectures: ['Idefics3ForConditionalGeneration'],
        model_type: 'idefics3',
        image_token_id: controlTokens['<image>'],
        scale_factor: 4,
        tie_word_embeddings: false,
        torch_dtype: 'bfloat16',
        text_config: {
          model_type: 'llama',
          ...decoder,
          num_hidden_layers: Math.min(decoder.num_hidden_layers, layers),
          head_dim: 64,
          vocab_size: VOCABULARY,
          max_position_embeddings: 8192,
          rms_norm_eps: 1e-5,
          rope_theta: 100000,
          tie_word_embeddings: false,
        },
        vision_config: {
          model_type: 'idefics3',
          hidden_size: 768,
          intermediate_size: 3072,
          num_hidden_layers: Math.min(12, layers),
          num_attention_heads: 12,
          image_size: 512,
          patch_size: 16,
        },
      },
    }),
  };
}

export const smolvlmShapes: Readonly<Record<string, SyntheticShape>> = {
  'smolvlm-256m': shape({
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
  }),
  'smolvlm-500m': shape({
    hidden_size: 960,
    intermediate_size: 2560,
    num_hidden_layers: 32,
    num_attention_heads: 15,
    num_key_value_heads: 5,
  }),
};
