import type { NvlmConfig } from '../../config.ts';
import { ParameterList, type ParameterSpec } from '../../parameter-list.ts';

/** Names of SigLIP's tensors and the connector's, under this project's prefixes. */
export const siglipNames = {
  positionEmbedding: 'vision_model.embeddings.position_embedding.weight',
  patchEmbedding: 'vision_model.embeddings.patch_embedding',
  layer: (layer: number) => `vision_model.encoder.layers.${layer}`,
  finalNorm: 'vision_model.post_layernorm',
  connector: 'connector.proj',
};

/** SigLIP without its pooling head, and the one linear that joins it to the decoder. */
export function siglipParameters({ vision, llm, shuffle }: NvlmConfig): ParameterSpec[] {
  const { hiddenSize, intermediateSize, imageSize, patchSize, layers } = vision!;
  const list = new ParameterList();
  list.vector(siglipNames.positionEmbedding, (imageSize / patchSize) ** 2, hiddenSize);
  list.add(`${siglipNames.patchEmbedding}.weight`, 'linear', hiddenSize, 3, patchSize, patchSize);
  list.vector(`${siglipNames.patchEmbedding}.bias`, hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    const name = siglipNames.layer(layer);
    list.norm(`${name}.layer_norm1`, hiddenSize, true);
    for (const projection of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) {
      list.linear(`${name}.self_attn.${projection}`, hiddenSize, hiddenSize, true);
    }
    list.norm(`${name}.layer_norm2`, hiddenSize, true);
    list.linear(`${name}.mlp.fc1`, intermediateSize, hiddenSize, true);
    list.linear(`${name}.mlp.fc2`, hiddenSize, intermediateSize, true);
  }
  list.norm(siglipNames.finalNorm, hiddenSize, true);
  list.linear(siglipNames.connector, llm.hiddenSize, shuffle ** 2 * hiddenSize, false);
  return list.specs;
}
