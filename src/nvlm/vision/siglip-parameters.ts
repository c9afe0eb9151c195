import type { NvlmConfig } from '../config.ts';
import { ParameterList, type ParameterSpec } from '../parameter-list.ts';

/** Names of SigLIP's tensors and the connector's, under this project's prefixes. */
export const siglipNames = {
  positionEmbedding: 'vision_model.embeddings.position_embedding.weight',
  patchEmbedding: 'vision_model.embeddings.patch_embedding',
  layer: (layer: number) => `vision_model.encoder.layers.${layer}`,
  finalNorm: 'vision_model.post_layernorm',
  connector: 'connector.proj',
};

/** How checkpoints hold what is the same computation. */
export interface SiglipForm {
  /** Queries, keys and values are one matrix, `qkv_proj`, stacked by rows; else three. */
  fusedQkv: boolean;
  positions: { name: string; leading: readonly number[] };
}

/** As SigLIP's own checkpoints have it. */
export const SIGLIP: SiglipForm = { fusedQkv: false, positions: { name: siglipNames.positionEmbedding, leading: [] } };

/** SigLIP without its pooling head, and the one linear that joins it to the decoder. */
export function siglipParameters({ vision, llm, shuffle }: NvlmConfig, { fusedQkv, positions }: SiglipForm = SIGLIP): ParameterSpec[] {
  const { hiddenSize, intermediateSize, imageSize, patchSize, layers } = vision!;
  const list = new ParameterList();
  list.vector(positions.name, ...positions.leading, (imageSize / patchSize) ** 2, hiddenSize);
  list.add(`${siglipNames.patchEmbedding}.weight`, 'linear', hiddenSize, 3, patchSize, patchSize);
  list.vector(`${siglipNames.patchEmbedding}.bias`, hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    const name = siglipNames.layer(layer);
    list.norm(`${name}.layer_norm1`, hiddenSize, true);
    const inputs = fusedQkv ? { qkv_proj: 3 } : { q_proj: 1, k_proj: 1, v_proj: 1 };
    for (const [projection, parts] of Object.entries(inputs)) {
      list.linear(`${name}.self_attn.${projection}`, parts * hiddenSize, hiddenSize, true);
    }
    list.linear(`${name}.self_attn.out_proj`, hiddenSize, hiddenSize, true);
    list.norm(`${name}.layer_norm2`, hiddenSize, true);
    list.linear(`${name}.mlp.fc1`, intermediateSize, hiddenSize, true);
    list.linear(`${name}.mlp.fc2`, hiddenSize, intermediateSize, true);
  }
  list.norm(siglipNames.finalNorm, hiddenSize, true);
  list.linear(siglipNames.connector, llm.hiddenSize, shuffle ** 2 * hiddenSize, false);
  return list.specs;
}
