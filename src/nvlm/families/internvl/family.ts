import { unrolled, wrapped } from '../../../text/image-layout.ts';
import { nearestAspect } from '../../../tiling/nearest-aspect.ts';
import { MAX_TILES_ANYWHERE } from '../../../tiling/tile-limits.ts';
import { IMAGENET } from '../../../tiling/pixel-values.ts';
import type { VisionConfig } from '../../config.ts';
import { JsonReader } from '../../json-reader.ts';
import { parseLlm } from '../../llm-config.ts';
import { declaredArchitecture, imageTokenId, parseNested } from '../../nested-config.ts';
import { internVitSizes } from '../../vision/intern-vit-config.ts';
import { internVitMlp } from '../../vision/intern-vit-mlp.ts';
import type { Family } from '../family.ts';
import { internVLConversation } from './conversations.ts';
import { internvlNamings } from './names.ts';
import { internvlShapes } from './synthetic.ts';

const layout = { routing: unrolled, block: wrapped('<img>', '</img>'), joinTags: false, placeholder: '<IMG_CONTEXT>' };

/** InternVL 2 to 3.5 with a Qwen2, Qwen3 or Llama decoder, in the layout of its own code and in that of transformers (`-hf`). */
export const internvl: Family = {
  id: 'internvl',
  title: 'InternVL',
  words: 'Decoder only, without tags: all tiles unrolled into the sequence, one after the other.',
  modelTypes: ['internvl_chat', 'internvl'],
  recognises: (config) => isOriginal(config) || isHf(config),
  parse: (config, processor) => (isOriginal(config) ? parseOriginal(config) : parseHf(config, processor)),
  routing: unrolled,
  crossAttends: false,
  imageTokens: ['<IMG_CONTEXT>', '<image>'],
  ...internVitMlp,
  namings: internvlNamings,
  synthetic: internvlShapes,
};

function isOriginal(config: JsonReader): boolean {
  return config.has('llm_config') && ['InternVLChatModel', 'internvl_chat'].includes(declaredArchitecture(config));
}

function isHf(config: JsonReader): boolean {
  return config.has('text_config') && config.string('model_type', '') === 'internvl';
}

function parseOriginal(config: JsonReader): ReturnType<Family['parse']> {
  const conversation = internVLConversation(config.string('template', ''));
  return {
    ...parseNested(config, {
      qkvBias: true,
      projectorWidth: (llm) => llm.hiddenSize,
      projectorBias: true,
      tagFormat: 'none',
      // InternVL's config class reads an absent key as v1.
      pixelShuffle: 'v1',
    }),
    layout: { ...layout, joinTags: config.boolean('joined_tags', false) },
    systemMessage: config.string('system_message', '') || conversation?.systemMessage || null,
    chatTemplate: conversation?.chatTemplate ?? null,
  };
}

/** The config of `InternVLForConditionalGeneration`: what is not a key there is fixed by that class or said by its processor's file. */
function parseHf(config: JsonReader, processor: JsonReader | null): ReturnType<Family['parse']> {
  const llm = parseLlm(config.object('text_config'), config.boolean('tie_word_embeddings', false));
  const vision = parseVisionHf(config.object('vision_config'));
  if (vision.imageSize % (2 * vision.patchSize) !== 0) {
    throw config.error('vision_config', `has an image_size ${vision.imageSize} that is not a multiple of two patches`);
  }
  if (config.number('downsample_ratio', 0.5, 0.01, 1) !== 0.5) throw config.error('downsample_ratio', 'only 0.5 is supported');
  if (config.number('vision_feature_layer', -1, -1000, 1000) !== -1) {
    throw config.error('vision_feature_layer', 'only -1 is supported');
  }
  config.oneOf('projector_hidden_act', ['gelu'] as const, 'gelu');
  return {
    vision,
    llm,
    projector: { hiddenSize: llm.hiddenSize, bias: true },
    crossAttentionEvery: 1,
    tileSize: vision.imageSize,
    ...parseProcessor(processor ?? JsonReader.open({}, 'preprocessor_config.json'), vision.imageSize),
    useThumbnail: true,
    tagFormat: 'none',
    tiler: nearestAspect,
    layout,
    shuffle: 2,
    pixelShuffle: 'v2',
    imageTokenId: imageTokenId(config, llm),
    systemMessage: null,
    chatTemplate: null,
  };
}

/** By the keys of `GotOcr2ImageProcessor`, which prepares InternVL's pictures; without a file, what all published ones say. */
function parseProcessor(processor: JsonReader, imageSize: number) {
  if (processor.has('size')) {
    const size = processor.object('size');
    for (const side of ['height', 'width']) {
      if (size.integer(side, imageSize, 1, 1 << 16) !== imageSize)
        throw processor.error('size', `is not the ${imageSize} pixels that the vision encoder reads`);
    }
  }
  return {
    maxTiles: processor.integer('max_patches', 12, 1, MAX_TILES_ANYWHERE),
    normalisation: {
      mean: processor.triple('image_mean', IMAGENET.mean, -10, 10),
      std: processor.triple('image_std', IMAGENET.std, 1e-6, 10),
    },
  };
}

/** The encoder by the names of transformers' `InternVLVisionConfig`, where sizes may be pairs. */
function parseVisionHf(vision: JsonReader): VisionConfig {
  const sizes = internVitSizes(vision);
  if (!vision.boolean('use_absolute_position_embeddings', true)) {
    throw vision.error('use_absolute_position_embeddings', 'is false, and this encoder has learned positions');
  }
  return {
    ...sizes,
    imageSize: vision.side('image_size', 448, 28, 4096),
    patchSize: vision.side('patch_size', 14, 1, 256),
    qkvBias: vision.boolean('attention_bias', false),
    qkNormalization: vision.boolean('use_qk_norm', false),
    normType: vision.oneOf('norm_type', ['layer_norm', 'rms_norm'] as const, 'layer_norm'),
    normEps: vision.number('layer_norm_eps', 1e-6, 0, 1),
  };
}
