import type { VisionConfig } from '../config.ts';
import type { ParameterList } from '../parameter-list.ts';

/** Names of InternViT's tensors, as NVLM-D-72B and InternVL have them. */
export const internVitNames = {
  classEmbedding: 'vision_model.embeddings.class_embedding',
  positionEmbedding: 'vision_model.embeddings.position_embedding',
  patchEmbedding: 'vision_model.embeddings.patch_embedding',
  layer: (layer: number) => `vision_model.encoder.layers.${layer}`,
};

/** @param dummyHeads see {@link visionDummyHeads} */
export function addInternVit(list: ParameterList, vision: VisionConfig, dummyHeads: number): void {
  const { hiddenSize, intermediateSize, patchSize, imageSize, heads, layers, qkvBias, qkNormalization, normType } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  list.vector(internVitNames.classEmbedding, 1, 1, hiddenSize);
  list.vector(internVitNames.positionEmbedding, 1, (imageSize / patchSize) ** 2 + 1, hiddenSize);
  list.add(`${internVitNames.patchEmbedding}.weight`, 'linear', hiddenSize, 3, patchSize, patchSize);
  list.vector(`${internVitNames.patchEmbedding}.bias`, hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    const name = internVitNames.layer(layer);
    list.norm(`${name}.norm1`, hiddenSize, normType === 'layer_norm');
    list.linear(`${name}.attn.qkv`, 3 * stored, hiddenSize, qkvBias);
    if (qkNormalization) {
      list.vector(`${name}.attn.q_norm.weight`, stored);
      list.vector(`${name}.attn.k_norm.weight`, stored);
    }
    list.linear(`${name}.attn.proj`, hiddenSize, stored, true);
    list.vector(`${name}.ls1`, hiddenSize);
    list.norm(`${name}.norm2`, hiddenSize, normType === 'layer_norm');
    list.linear(`${name}.mlp.fc1`, intermediateSize, hiddenSize, true);
    list.linear(`${name}.mlp.fc2`, hiddenSize, intermediateSize, true);
    list.vector(`${name}.ls2`, hiddenSize);
  }
}

/**
 * NVLM-D-72B stores its vision attention with zero heads added, so that eight tensor-parallel ranks divide it. How many, read off the
 * first layer's qkv rows; 0 for everyone else.
 */
export function visionDummyHeads(vision: VisionConfig | null, shapeOf: (name: string) => readonly number[] | undefined): number {
  if (!vision) return 0;
  const rows = shapeOf(`${internVitNames.layer(0)}.attn.qkv.weight`)?.[0];
  if (rows === undefined || rows % 3 !== 0) return 0;
  const { hiddenSize, heads } = vision;
  const extra = (rows / 3 - hiddenSize) / (hiddenSize / heads);
  return Number.isInteger(extra) && extra > 0 && extra <= heads ? extra : 0;
}
