import { standInTokenizerJson } from '../text/stand-in-tokenizer.ts';
import { f32ToBf16 } from '../weights/dtype.ts';
import { parseConfig, type NvlmConfig } from './config.ts';
import { parameterSpecs, type ParameterSpec } from './names.ts';

/** Published models whose shapes and names a synthetic checkpoint can have (nvlm-facts §3, for X and H design §4). */
export const SYNTHETIC_MODELS = ['nvlm-d-72b', 'nvlm-x-72b', 'nvlm-h-72b', 'internvl2_5-1b', 'internvl2-1b'] as const;
export type SyntheticModel = (typeof SYNTHETIC_MODELS)[number];

/** Everything of a checkpoint folder but the weights' bytes, which {@link syntheticRows} makes piece by piece. */
export interface SyntheticCheckpoint {
  /** Small files by name. */
  files: Record<string, object>;
  config: NvlmConfig;
  /** All bf16; in the order of the forward pass. */
  tensors: ParameterSpec[];
  /** See `visionDummyHeads`. */
  dummyHeads: number;
}

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const QWEN2_72B = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 8192,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  intermediate_size: 29568,
  vocab_size: 152064,
};
const QWEN2_05B = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 896,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  intermediate_size: 4864,
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
const INTERN_VIT_300M = {
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
  qkv_bias: true,
  qk_normalization: false,
  norm_type: 'layer_norm',
};

/** @param layers at most so many layers in the decoder and in the vision encoder; all when undefined */
export function syntheticCheckpoint(like: SyntheticModel, layers = Infinity): SyntheticCheckpoint {
  const isInternVL = like.startsWith('internvl');
  const contextToken = like === 'internvl2_5-1b' ? 151667 : 151648;
  const vocab = isInternVL ? { vocab_size: like === 'internvl2_5-1b' ? 151674 : 151655 } : {};
  const llm = isInternVL ? QWEN2_05B : QWEN2_72B;
  const vision = isInternVL ? INTERN_VIT_300M : INTERN_VIT_6B;
  const architecture = { 'nvlm-d-72b': 'NVLM_D', 'nvlm-x-72b': 'NVLM_X', 'nvlm-h-72b': 'NVLM_H' }[like as string];
  const decoderLayers = Math.min(llm.num_hidden_layers, layers);
  const json = {
    ...(isInternVL
      ? { architectures: ['InternVLChatModel'], model_type: 'internvl_chat', max_dynamic_patch: 12 }
      : { architectures: [architecture], model_type: like === 'nvlm-d-72b' ? 'NVLM_D' : 'nvlm', max_dynamic_patch: 6 }),
    // 10 cross-attention layers of 80; with fewer layers than one has to be there all the same.
    ...((like === 'nvlm-x-72b' || like === 'nvlm-h-72b') && { architecture, cross_attention_every: Math.min(8, decoderLayers) }),
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: 448,
    min_dynamic_patch: 1,
    ps_version: 'v2',
    select_layer: -1,
    use_thumbnail: true,
    torch_dtype: 'bfloat16',
    llm_config: {
      ...llm,
      ...vocab,
      model_type: 'qwen2',
      num_hidden_layers: decoderLayers,
      hidden_act: 'silu',
      rope_theta: 1_000_000,
      rms_norm_eps: 1e-6,
      max_position_embeddings: 32768,
      tie_word_embeddings: false,
    },
    vision_config: {
      ...vision,
      num_hidden_layers: Math.min(vision.num_hidden_layers, layers),
      image_size: 448,
      patch_size: 14,
      layer_norm_eps: 1e-6,
      hidden_act: 'gelu',
    },
    synthetic: `Random weights in the shapes of ${like}, with a stand-in tokenizer.`,
  };
  const config = parseConfig(json);
  const dummyHeads = like === 'nvlm-d-72b' ? 7 : 0;
  const imageTokens: Record<string, number> = isInternVL
    ? { '<img>': contextToken - 2, '</img>': contextToken - 1, '<IMG_CONTEXT>': contextToken }
    : { '<|vision_start|>': 151652, '<|vision_end|>': 151653, '<|vision_pad|>': 151654 };
  return {
    config,
    dummyHeads,
    tensors: parameterSpecs(config, dummyHeads),
    files: {
      'config.json': json,
      'generation_config.json': { eos_token_id: 151645 },
      'tokenizer.json': standInTokenizerJson({
        '<|endoftext|>': 151643,
        '<|im_start|>': 151644,
        '<|im_end|>': 151645,
        ...imageTokens,
      }),
      'tokenizer_config.json': {
        tokenizer_class: 'PreTrainedTokenizerFast',
        eos_token: '<|im_end|>',
        pad_token: '<|endoftext|>',
        chat_template: CHATML,
        model_max_length: 32768,
      },
    },
  };
}

/** Uniform values of standard deviation 1; the upper or lower half of a random word picks one. */
const LEVELS = Float32Array.from({ length: 1 << 16 }, (_, i) => ((i + 0.5) / 2 ** 15 - 1) * Math.sqrt(3));

/**
 * Makes the rows of one tensor: a function of seed, name and place alone, in whatever pieces they are asked for.
 *
 * Matrices have variance 1 / columns, so that activations keep their size through any number of layers; norms are 1, layer
 * scales 0.1, gates open. The dummy heads' parts are zero, as in the published checkpoint.
 *
 * @returns bf16 words [count, columns], columns = everything after the first dimension
 */
export function syntheticRows(
  { config, dummyHeads }: Pick<SyntheticCheckpoint, 'config' | 'dummyHeads'>,
  { name, role, shape }: ParameterSpec,
  seed: number,
): (firstRow: number, count: number) => Uint16Array {
  const columns = shape.slice(1).reduce((product, extent) => product * extent, 1);
  const real = realPart(config, dummyHeads, name);
  const fixed = fixedValue(name);
  const deviation = role === 'linear' ? 1 / Math.sqrt(columns) : 0.02;
  const words = f32ToBf16(fixed === null ? LEVELS.map((value) => value * deviation) : Float32Array.of(fixed));
  const key = hash(seed, name);
  return (firstRow, count) => {
    const out = new Uint16Array(count * columns);
    if (fixed !== null) out.fill(words[0]!);
    else {
      const first = firstRow * columns;
      for (let i = 0; i < out.length; i++) out[i] = words[random(key, first + i)]!;
    }
    if (!real) return out;
    for (let row = 0; row < count; row++) {
      const start = row * columns;
      if (!real.row(firstRow + row)) out.fill(0, start, start + columns);
      else if (real.columns < columns) out.fill(0, start + real.columns, start + columns);
    }
    return out;
  };
}

function fixedValue(name: string): number | null {
  if (/(norm\d?|mlp1\.0)\.weight$/.test(name)) return 1;
  if (/\.ls[12]$/.test(name)) return 0.1;
  if (name.endsWith('.cross_attn_gate')) return 0.5;
  return null;
}

/** Rows and columns of a vision attention tensor that are not dummy heads. */
function realPart({ vision }: NvlmConfig, dummyHeads: number, name: string) {
  if (!vision || dummyHeads === 0 || !name.includes('.attn.')) return null;
  const { hiddenSize, heads } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  if (name.endsWith('.attn.proj.bias')) return null;
  if (name.endsWith('.attn.proj.weight')) return { row: () => true, columns: hiddenSize };
  return { row: (row: number) => row % stored < hiddenSize, columns: Infinity };
}

/** FNV-1a over seed and name. */
function hash(seed: number, name: string): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

/** 16 random bits for place `i` (murmur3's finaliser over a counter). */
function random(key: number, i: number): number {
  let h = Math.imul(i + key, 0x9e3779b1) ^ key;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & 0xffff;
}
