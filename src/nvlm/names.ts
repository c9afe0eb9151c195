import { hasCrossAttention, type NvlmConfig } from './config.ts';
import { ParameterList, type ParameterSpec } from './parameter-list.ts';

export type { ParameterRole, ParameterSpec } from './parameter-list.ts';

/**
 * Names of the decoder's tensors, those of NVLM-D-72B and InternVL; what cross-attention is called, which no public checkpoint has, is
 * this project's own. `.weight` / `.bias` are left off where a module has both.
 */
export const names = {
  embedTokens: (config: NvlmConfig) => `${llmPrefix(config)}model.embed_tokens.weight`,
  decoderLayer: (config: NvlmConfig, layer: number) => `${llmPrefix(config)}model.layers.${layer}`,
  crossAttentionGate: (config: NvlmConfig, layer: number) => `${llmPrefix(config)}model.layers.${layer}.cross_attn_gate`,
  finalNorm: (config: NvlmConfig) => `${llmPrefix(config)}model.norm.weight`,
  lmHead: (config: NvlmConfig) => `${llmPrefix(config)}lm_head`,
};

function llmPrefix(config: NvlmConfig): string {
  return config.vision ? 'language_model.' : '';
}

/** The parts of a model that are trained, adapted and quantised as a whole. */
export const MODEL_PARTS = ['vision_encoder', 'connector', 'cross_attention', 'language_model'] as const;
export type ModelPart = (typeof MODEL_PARTS)[number];

/** Which part a tensor or a module belongs to, by its name in this project, the same in every family. */
export function partOf(name: string): ModelPart {
  if (name.startsWith('vision_model.')) return 'vision_encoder';
  if (/^(mlp1|connector)\./.test(name)) return 'connector';
  return name.includes('.cross_attn') ? 'cross_attention' : 'language_model';
}

/** Every tensor that the model needs, in the order the forward pass meets them. `dummyHeads`: see `visionDummyHeads`. */
export function parameterSpecs(config: NvlmConfig, dummyHeads = 0): ParameterSpec[] {
  const list = new ParameterList();
  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize, qkvBias, outputBias, mlpBias, qkNorm } = config.llm;
  list.add(names.embedTokens(config), 'embedding', vocabSize, hiddenSize);
  for (let layer = 0; layer < config.llm.layers; layer++) {
    const name = names.decoderLayer(config, layer);
    list.norm(`${name}.input_layernorm`, hiddenSize, false);
    list.linear(`${name}.self_attn.q_proj`, heads * headDim, hiddenSize, qkvBias);
    list.linear(`${name}.self_attn.k_proj`, kvHeads * headDim, hiddenSize, qkvBias);
    list.linear(`${name}.self_attn.v_proj`, kvHeads * headDim, hiddenSize, qkvBias);
    if (qkNorm) {
      list.vector(`${name}.self_attn.q_norm.weight`, headDim);
      list.vector(`${name}.self_attn.k_norm.weight`, headDim);
    }
    list.linear(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, outputBias);
    if (hasCrossAttention(config, layer)) {
      list.norm(`${name}.cross_attn_layernorm`, hiddenSize, false);
      list.linear(`${name}.cross_attn.q_proj`, heads * headDim, hiddenSize, false);
      list.linear(`${name}.cross_attn.k_proj`, kvHeads * headDim, hiddenSize, false);
      list.linear(`${name}.cross_attn.v_proj`, kvHeads * headDim, hiddenSize, false);
      list.linear(`${name}.cross_attn.o_proj`, hiddenSize, heads * headDim, false);
      list.vector(`${name}.cross_attn_gate`, 1);
    }
    list.norm(`${name}.post_attention_layernorm`, hiddenSize, false);
    list.linear(`${name}.mlp.gate_proj`, intermediateSize, hiddenSize, mlpBias);
    list.linear(`${name}.mlp.up_proj`, intermediateSize, hiddenSize, mlpBias);
    list.linear(`${name}.mlp.down_proj`, hiddenSize, intermediateSize, mlpBias);
  }
  list.vector(names.finalNorm(config), hiddenSize);
  if (!config.llm.tieWordEmbeddings) list.linear(names.lmHead(config), vocabSize, hiddenSize, false);
  return [...config.family.visionParameters(config, dummyHeads), ...list.specs];
}
