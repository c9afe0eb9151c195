import { unrolled, type ImageLayout } from '../../../text/image-layout.ts';
import { nearestAspect } from '../../../tiling/nearest-aspect.ts';
import { IMAGENET } from '../../../tiling/pixel-values.ts';
import { parseLlm } from '../../llm-config.ts';
import { ownNaming } from '../../naming.ts';
import type { Family } from '../family.ts';

const layout: ImageLayout = { routing: unrolled, block: () => [], joinTags: false, placeholder: '' };
const MODEL_TYPES = ['qwen2', 'qwen3', 'llama'];

/** Plain language models: a decoder that never meets a picture. */
export const text: Family = {
  id: 'text',
  title: 'text',
  words: 'Text model: it takes no pictures.',
  onePicture: 'A text model takes no pictures.',
  modelTypes: MODEL_TYPES,
  recognises: (config) => !config.has('llm_config') && MODEL_TYPES.includes(config.string('model_type', '')),
  parse(config) {
    const llm = parseLlm(config);
    return {
      vision: null,
      llm,
      projector: { hiddenSize: llm.intermediateSize, bias: false },
      crossAttentionEvery: 1,
      tileSize: 448,
      maxTiles: 1,
      useThumbnail: false,
      tagFormat: 'none',
      tiler: nearestAspect,
      normalisation: IMAGENET,
      layout,
      shuffle: 2,
      pixelShuffle: 'v2',
      imageTokenId: null,
      systemMessage: config.string('system_message', '') || null,
      chatTemplate: null,
    };
  },
  routing: unrolled,
  crossAttends: false,
  imageTokens: [],
  visionParameters: () => [],
  network: null,
  namings: [ownNaming],
  synthetic: {},
};
