import { NvlmError } from '../errors.ts';
import { wrapped } from '../text/image-layout.ts';
import { nearestAspect } from '../tiling/nearest-aspect.ts';
import { IMAGENET } from '../tiling/pixel-values.ts';
import type { TagFormat } from '../tiling/tags.ts';
import type { LlmConfig, NvlmConfig } from './config.ts';
import type { Family } from './families/family.ts';
import type { JsonReader } from './json-reader.ts';
import { LARGEST_WIDTH, parseLlm } from './llm-config.ts';
import { internVitConfig } from './vision/intern-vit-config.ts';

/** What a config.json with a decoder's config inside calls its architecture. */
export function declaredArchitecture(config: JsonReader): string {
  return config.string('architecture', '') || config.firstString('architectures') || config.string('model_type', '');
}

/** What counts where the file is silent, which differs between NVLM and InternVL. */
interface Defaults {
  qkvBias: boolean;
  projectorWidth(llm: LlmConfig): number;
  projectorBias: boolean;
  tagFormat: TagFormat;
  pixelShuffle: NvlmConfig['pixelShuffle'];
}

/** A config.json with `llm_config` and `vision_config`, as NVLM-D-72B and InternVL's own code have it. */
export function parseNested(
  config: JsonReader,
  defaults: Defaults,
): Omit<NvlmConfig, 'family' | 'layout' | 'systemMessage' | 'chatTemplate'> {
  const llm = parseLlm(config.object('llm_config'));
  const vision = internVitConfig(config.object('vision_config'), defaults.qkvBias);
  const tileSize = config.integer('force_image_size', vision.imageSize, 28, 4096);
  if (tileSize !== vision.imageSize) {
    throw new NvlmError(
      'unsupported-model',
      `force_image_size ${tileSize} differs from the vision encoder's image_size ${vision.imageSize}.`,
      'Use a checkpoint whose position embedding was stored for its own tile size.',
    );
  }
  if (tileSize % (2 * vision.patchSize) !== 0) {
    throw config.error('force_image_size', `${tileSize} is not a multiple of two patches (${2 * vision.patchSize})`);
  }
  if (config.number('downsample_ratio', 0.5, 0.01, 1) !== 0.5) throw config.error('downsample_ratio', 'only 0.5 is supported');
  if (config.number('select_layer', -1, -1000, 1000) !== -1) throw config.error('select_layer', 'only -1 is supported');
  return {
    vision,
    llm,
    projector: {
      hiddenSize: config.integer('projector_hidden_size', defaults.projectorWidth(llm), 1, LARGEST_WIDTH),
      bias: config.boolean('projector_bias', defaults.projectorBias),
    },
    crossAttentionEvery: config.integer('cross_attention_every', 1, 1, 1024),
    tileSize,
    maxTiles: config.integer('max_dynamic_patch', 6, 1, 64),
    useThumbnail: config.boolean('use_thumbnail', true),
    tagFormat: defaults.tagFormat,
    tiler: nearestAspect,
    normalisation: IMAGENET,
    shuffle: 2,
    pixelShuffle: config.oneOf('ps_version', ['v1', 'v2'] as const, defaults.pixelShuffle),
    imageTokenId: imageTokenId(config, llm),
  };
}

export function imageTokenId(config: JsonReader, { vocabSize }: LlmConfig): number | null {
  return config.has('image_token_id') ? config.integer('image_token_id', 0, 0, vocabSize - 1) : null;
}

const nvlmBlock = wrapped('<Image>', '</Image>');

/** How the configs of NVLM-D, X and H are read: the same keys, but for the way that tiles take. */
export function nvlmParser(routing: Family['routing']): Family['parse'] {
  return (config) => ({
    ...parseNested(config, {
      qkvBias: false,
      projectorWidth: (llm) => llm.intermediateSize,
      projectorBias: false,
      tagFormat: '1d',
      // NVLM has only ever used v2.
      pixelShuffle: 'v2',
    }),
    layout: { routing, block: nvlmBlock, joinTags: config.boolean('joined_tags', false), placeholder: '<image>' },
    systemMessage: config.string('system_message', '') || null,
    chatTemplate: null,
  });
}

/** What stands for a visual token in Qwen2's vocabulary, which NVLM took as it is. */
export const NVLM_IMAGE_TOKENS = ['<|vision_pad|>', '<image>'] as const;
