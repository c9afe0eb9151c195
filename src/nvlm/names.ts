import type { NvlmConfig } from './config.ts';
import { hasCrossAttention } from './config.ts';

/**
 * Names of the tensors in a checkpoint (nvlm-facts §3.4; for cross-attention, which no public checkpoint has, design §4).
 * `.weight` / `.bias` are left off where a module has both.
 */
export const names = {
  classEmbedding: 'vision_model.embeddings.class_embedding',
  positionEmbedding: 'vision_model.embeddings.position_embedding',
  patchEmbedding: 'vision_model.embeddings.patch_embedding',
  visionLayer: (layer: number) => `vision_model.encoder.layers.${layer}`,
  projectorNorm: 'mlp1.0',
  projectorIn: 'mlp1.1',
  projectorOut: 'mlp1.3',
  embedTokens: (config: NvlmConfig) => `${llmPrefix(config)}model.embed_tokens.weight`,
  decoderLayer: (config: NvlmConfig, layer: number) => `${llmPrefix(config)}model.layers.${layer}`,
  crossAttentionGate: (config: NvlmConfig, layer: number) => `${llmPrefix(config)}model.layers.${layer}.cross_attn_gate`,
  finalNorm: (config: NvlmConfig) => `${llmPrefix(config)}model.norm.weight`,
  lmHead: (config: NvlmConfig) => `${llmPrefix(config)}lm_head`,
};

function llmPrefix(config: NvlmConfig): string {
  return config.vision ? 'language_model.' : '';
}

/** What a tensor is used as, which decides how it is held on the device. */
export type ParameterRole =
  /** [out, in] in the file; see `LinearWeight`. A convolution over patches is one too, its input flattened. */
  | 'linear'
  /** [vocab, width] */
  | 'embedding'
  /** Anything else, flat. */
  | 'vector';

export interface ParameterSpec {
  name: string;
  role: ParameterRole;
  shape: number[];
}

/** Every tensor that the model needs, in the order the forward pass meets them. `dummyHeads`: see `visionDummyHeads`. */
export function parameterSpecs(config: NvlmConfig, dummyHeads = 0): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  const linear = (name: string, rows: number, columns: number, bias: boolean) => {
    specs.push({ name: `${name}.weight`, role: 'linear', shape: [rows, columns] });
    if (bias) vector(`${name}.bias`, rows);
  };
  const vector = (name: string, ...shape: number[]) => specs.push({ name, role: 'vector', shape });
  const norm = (name: string, size: number, bias: boolean) => {
    vector(`${name}.weight`, size);
    if (bias) vector(`${name}.bias`, size);
  };

  if (config.vision) {
    const { hiddenSize, intermediateSize, patchSize, imageSize, heads, qkvBias, qkNormalization, normType } = config.vision;
    const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
    vector(names.classEmbedding, 1, 1, hiddenSize);
    vector(names.positionEmbedding, 1, (imageSize / patchSize) ** 2 + 1, hiddenSize);
    specs.push({ name: `${names.patchEmbedding}.weight`, role: 'linear', shape: [hiddenSize, 3, patchSize, patchSize] });
    vector(`${names.patchEmbedding}.bias`, hiddenSize);
    for (let layer = 0; layer < config.vision.layers; layer++) {
      const name = names.visionLayer(layer);
      norm(`${name}.norm1`, hiddenSize, normType === 'layer_norm');
      linear(`${name}.attn.qkv`, 3 * stored, hiddenSize, qkvBias);
      if (qkNormalization) {
        vector(`${name}.attn.q_norm.weight`, stored);
        vector(`${name}.attn.k_norm.weight`, stored);
      }
      linear(`${name}.attn.proj`, hiddenSize, stored, true);
      vector(`${name}.ls1`, hiddenSize);
      norm(`${name}.norm2`, hiddenSize, normType === 'layer_norm');
      linear(`${name}.mlp.fc1`, intermediateSize, hiddenSize, true);
      linear(`${name}.mlp.fc2`, hiddenSize, intermediateSize, true);
      vector(`${name}.ls2`, hiddenSize);
    }
    const wide = 4 * hiddenSize;
    const { bias, hiddenSize: middle } = config.projector;
    norm(names.projectorNorm, wide, true);
    if (config.architecture === 'NVLM_X') {
      linear(names.projectorIn, config.llm.hiddenSize, wide, bias);
    } else {
      linear(names.projectorIn, middle, wide, bias);
      linear(names.projectorOut, config.llm.hiddenSize, middle, bias);
    }
  }

  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize, qkvBias, outputBias, mlpBias, qkNorm } = config.llm;
  specs.push({ name: names.embedTokens(config), role: 'embedding', shape: [vocabSize, hiddenSize] });
  for (let layer = 0; layer < config.llm.layers; layer++) {
    const name = names.decoderLayer(config, layer);
    norm(`${name}.input_layernorm`, hiddenSize, false);
    linear(`${name}.self_attn.q_proj`, heads * headDim, hiddenSize, qkvBias);
    linear(`${name}.self_attn.k_proj`, kvHeads * headDim, hiddenSize, qkvBias);
    linear(`${name}.self_attn.v_proj`, kvHeads * headDim, hiddenSize, qkvBias);
    if (qkNorm) {
      vector(`${name}.self_attn.q_norm.weight`, headDim);
      vector(`${name}.self_attn.k_norm.weight`, headDim);
    }
    linear(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, outputBias);
    if (hasCrossAttention(config, layer)) {
      norm(`${name}.cross_attn_layernorm`, hiddenSize, false);
      linear(`${name}.cross_attn.q_proj`, heads * headDim, hiddenSize, false);
      linear(`${name}.cross_attn.k_proj`, kvHeads * headDim, hiddenSize, false);
      linear(`${name}.cross_attn.v_proj`, kvHeads * headDim, hiddenSize, false);
      linear(`${name}.cross_attn.o_proj`, hiddenSize, heads * headDim, false);
      vector(`${name}.cross_attn_gate`, 1);
    }
    norm(`${name}.post_attention_layernorm`, hiddenSize, false);
    linear(`${name}.mlp.gate_proj`, intermediateSize, hiddenSize, mlpBias);
    linear(`${name}.mlp.up_proj`, intermediateSize, hiddenSize, mlpBias);
    linear(`${name}.mlp.down_proj`, hiddenSize, intermediateSize, mlpBias);
  }
  vector(names.finalNorm(config), hiddenSize);
  if (!config.llm.tieWordEmbeddings) linear(names.lmHead(config), vocabSize, hiddenSize, false);
  return specs;
}

/**
 * NVLM-D-72B stores its vision attention with zero heads added, so that eight tensor-parallel ranks divide it
 * (nvlm-facts §3.2 "checkpoint trap"). How many, read off the first layer's qkv rows; 0 for everyone else.
 */
export function visionDummyHeads(config: NvlmConfig, shapeOf: (name: string) => readonly number[] | undefined): number {
  if (!config.vision) return 0;
  const rows = shapeOf(`${names.visionLayer(0)}.attn.qkv.weight`)?.[0];
  if (rows === undefined || rows % 3 !== 0) return 0;
  const { hiddenSize, heads } = config.vision;
  const extra = (rows / 3 - hiddenSize) / (hiddenSize / heads);
  return Number.isInteger(extra) && extra > 0 && extra <= heads ? extra : 0;
}
