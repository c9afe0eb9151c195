import type { TagFormat } from '../tiling/tags.ts';
import type { Normalisation } from '../tiling/pixel-values.ts';
import type { Tiler } from '../tiling/types.ts';
import type { ImageLayout } from '../text/image-layout.ts';
import type { TileMark } from '../text/types.ts';
import type { Family } from './families/family.ts';

/** A vision transformer over square patches: pre-norm blocks, learned positions. Which one it is, the family says. */
export interface VisionConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  intermediateSize: number;
  imageSize: number;
  patchSize: number;
  /** Rows that the encoder has beside its patches: 1 with a class token. */
  extraRows: number;
  qkvBias: boolean;
  /** RMSNorm over the full width of queries and keys, before the head split. */
  qkNormalization: boolean;
  normType: 'layer_norm' | 'rms_norm';
  normEps: number;
}

export type RopeScaling =
  | { type: 'none' }
  | { type: 'linear'; factor: number }
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositions: number };

/** Qwen2 / Qwen3 / Llama decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
export interface LlmConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  vocabSize: number;
  rmsNormEps: number;
  ropeTheta: number;
  ropeScaling: RopeScaling;
  maxPositions: number;
  tieWordEmbeddings: boolean;
  qkvBias: boolean;
  /** Of the attention's output projection; Qwen2 biases only what goes in. */
  outputBias: boolean;
  mlpBias: boolean;
  /** RMSNorm over each head of queries and keys, before rotation (Qwen3). */
  qkNorm: boolean;
}

export interface ProjectorConfig {
  /** Width between the two linears; unused where the connector is one linear. */
  hiddenSize: number;
  bias: boolean;
}

/** How a picture becomes visual tokens and where they stand; the same for all models of a family but for the numbers. */
export interface PictureConfig {
  tileSize: number;
  maxTiles: number;
  useThumbnail: boolean;
  tagFormat: TagFormat;
  tiler: Tiler;
  normalisation: Normalisation;
  layout: ImageLayout;
  /** Squares of so many × so many neighbouring tokens become one. */
  shuffle: number;
  /** `v1` leaves the grid of tokens transposed, as InternVL's first version did. */
  pixelShuffle: 'v1' | 'v2';
}

/** One model, or with `vision: null` a plain text model. */
export interface NvlmConfig extends PictureConfig {
  family: Family;
  vision: VisionConfig | null;
  llm: LlmConfig;
  projector: ProjectorConfig;
  /** With gated cross-attention: in decoder layers l with (l + 1) mod this = 0. */
  crossAttentionEvery: number;
  /** Id that stands where visual tokens go; null when only the tokenizer knows it. */
  imageTokenId: number | null;
  systemMessage: string | null;
  /** Tokens that the model's own code adds behind the tokenizer's, in this order. */
  extraTokens?: readonly string[];
  /** Jinja, where the model's own code writes conversations by it instead of the tokenizer's template; else null. */
  chatTemplate: string | null;
}

/** Visual tokens of one tile, after pixel shuffle. */
export function tokensPerTile({ vision, tileSize, shuffle }: Pick<NvlmConfig, 'vision' | 'tileSize' | 'shuffle'>): number {
  return vision ? (tileSize / vision.patchSize / shuffle) ** 2 : 0;
}

/** Rows that the vision encoder computes a tile: its patches and what stands beside them. */
export function visionRows({ imageSize, patchSize, extraRows }: VisionConfig): number {
  return (imageSize / patchSize) ** 2 + extraRows;
}

/** Tiles of a picture of which only the number is known: where its thumbnail stands, if it has one. */
export function tileMarks(count: number, { tiler, useThumbnail }: Pick<PictureConfig, 'tiler' | 'useThumbnail'>): TileMark[] {
  const thumbnail = useThumbnail && count > 1 ? (tiler.thumbnailPlace === 'first' ? 0 : count - 1) : -1;
  return Array.from({ length: count }, (_, k) => ({ tag: '', col: 0, row: 0, thumbnail: k === thumbnail }));
}

/** Does decoder layer `layer` (from 0) read image tokens through gated cross-attention? */
export function hasCrossAttention({ family, crossAttentionEvery }: NvlmConfig, layer: number): boolean {
  return family.crossAttends && (layer + 1) % crossAttentionEvery === 0;
}
