import type { NvlmConfig, PictureConfig } from '../../nvlm/config.ts';
import type { ChatTemplate } from '../../text/chat-template.ts';
import { unrolled, wrapped } from '../../text/image-layout.ts';
import { createQwen2TagTokenizer } from '../../text/qwen2-tags.ts';
import type { Tokenizer } from '../../text/types.ts';
import { nearestAspect } from '../../tiling/nearest-aspect.ts';
import { NvlmError } from '../../errors.ts';

/** The numbers of a model that tiling, token plan and cache size follow from; no weights. */
export interface Geometry extends Omit<PictureConfig, 'normalisation' | 'pixelShuffle'> {
  id: string;
  title: string;
  patchSize: number;
  /** Decoder layers, each with keys and values of `kvHeads` × `headDim`. */
  layers: number;
  kvHeads: number;
  headDim: number;
  /** Layers of an X or H of this shape that read image tokens through gated cross-attention. */
  crossAttentionLayers: number;
  tokenizer: Tokenizer;
  imageTokenId: number;
  /** How a whole prompt is written; null when the tokenizer knows only wrapper and tags. */
  conversation: { chatTemplate: ChatTemplate; systemMessage?: string } | null;
}

/** Id of {@link nvlm72bGeometry}. */
export const NVLM_72B = 'nvlm-1.0-72b';

/**
 * NVLM-1.0 72B as published (paper §4, table 11; Qwen2-72B-Instruct's config.json): 448-pixel tiles, up to 6, tags in
 * Qwen2's own tokens, 80 decoder layers with 8 key-value heads of 128, in X and H gated cross-attention in every 8th.
 */
export function nvlm72bGeometry(): Geometry {
  const tokenizer = createQwen2TagTokenizer();
  const imageTokenId = tokenizer.idOf('<|vision_pad|>');
  if (imageTokenId === undefined) throw new Error('The Qwen2 tag vocabulary lacks <|vision_pad|>.');
  return {
    id: NVLM_72B,
    title: 'NVLM-1.0 72B',
    tileSize: 448,
    maxTiles: 6,
    useThumbnail: true,
    tagFormat: '1d',
    tiler: nearestAspect,
    patchSize: 14,
    shuffle: 2,
    layout: { routing: unrolled, block: wrapped('<Image>', '</Image>'), joinTags: false, placeholder: '<image>' },
    layers: 80,
    kvHeads: 8,
    headDim: 128,
    crossAttentionLayers: 10,
    tokenizer,
    imageTokenId,
    conversation: null,
  };
}

/** What of a model folder a geometry needs. */
export interface GeometrySource {
  id: string;
  title: string;
  config: NvlmConfig;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  imageTokenId: number | null;
}

/**
 * The geometry of a model folder. Its D, X and H are compared at the same decoder shape, so a D's X and H take
 * cross-attention as often as its configuration says or, when that is silent, in every layer (as the nano models do).
 *
 * @throws NvlmError `unsupported-model` for a text model; `bad-model` when no token stands for image positions
 */
export function geometryOfModel({ id, title, config, tokenizer, chatTemplate, imageTokenId }: GeometrySource): Geometry {
  const { vision, llm } = config;
  if (!vision) {
    throw new NvlmError('unsupported-model', `${title} is a text model: it takes no pictures.`, 'Choose a model that sees pictures.');
  }
  if (imageTokenId === null) {
    throw new NvlmError(
      'bad-model',
      `${title} does not say which token stands for image positions.`,
      'Add "image_token_id" to its config.json.',
    );
  }
  return {
    id,
    title,
    tileSize: config.tileSize,
    maxTiles: Math.min(config.tiler.mostTiles, config.maxTiles),
    useThumbnail: config.useThumbnail,
    tagFormat: config.tagFormat,
    tiler: config.tiler,
    patchSize: vision.patchSize,
    shuffle: config.shuffle,
    layout: config.layout,
    layers: llm.layers,
    kvHeads: llm.kvHeads,
    headDim: llm.headDim,
    crossAttentionLayers: Math.floor(llm.layers / config.crossAttentionEvery),
    tokenizer,
    imageTokenId,
    conversation: { chatTemplate, ...(config.systemMessage && { systemMessage: config.systemMessage }) },
  };
}
