import { NvlmError } from '../errors.ts';
import type { Part, Sees } from './plan-parts.ts';
import type { Architecture } from './types.ts';

/** Far past any context; keeps a damaged configuration from asking for gigabytes of placeholders. */
const MAX_VISUAL_TOKENS = 1_000_000;

export interface Wrapper {
  open: string;
  close: string;
}

/** NVLM's own (paper, appendix E): plain text, capital I. */
export const NVLM_WRAPPER: Wrapper = { open: '<Image>', close: '</Image>' };
/** InternVL's: special tokens of its tokenizer. */
export const INTERNVL_WRAPPER: Wrapper = { open: '<img>', close: '</img>' };

export interface ImageBlockOptions {
  architecture: Architecture;
  /** One a tile in sequence order (thumbnail last), empty strings without tags; [] without an image. */
  tags: readonly string[];
  /** Tokens of one tile after pixel shuffle. */
  tokensPerTile: number;
  wrapper?: Wrapper;
}

/** Tiles by the way they reach the decoder (paper §4.2–4.4). */
export function routeTiles(
  architecture: Architecture,
  count: number,
): { sequenceTiles: number[]; crossTiles: number[] } {
  const all = Array.from({ length: count }, (_, k) => k);
  switch (architecture) {
    case 'NVLM_D':
      return { sequenceTiles: all, crossTiles: [] };
    case 'NVLM_X':
      return { sequenceTiles: [], crossTiles: all };
    case 'NVLM_H':
      return { sequenceTiles: all.slice(-1), crossTiles: all.slice(0, -1) };
  }
}

/**
 * What stands in the decoder's sequence for an image: the wrapper, and inside it D: every tile's tag and tokens; X:
 * the tags, each seeing its own tile; H: the thumbnail's tag and tokens, seeing all regular tiles. A one-tile picture
 * is its own thumbnail, so in H it has no tile to cross-attend.
 */
export function imageBlock(options: ImageBlockOptions): Part[] {
  const { architecture, tags, tokensPerTile, wrapper = NVLM_WRAPPER } = options;
  if (!Number.isInteger(tokensPerTile) || tokensPerTile < 1 || tags.length * tokensPerTile > MAX_VISUAL_TOKENS) {
    throw new NvlmError(
      'bad-model',
      `${tags.length} tiles of ${tokensPerTile} tokens cannot be laid out.`,
      "Check force_image_size, patch_size and downsample_ratio in the model's config.json.",
    );
  }
  const parts: Part[] = [{ kind: 'text', text: wrapper.open, literal: [], sees: 'none' }];
  const tag = (tile: number, sees: Sees): void => {
    const text = tags[tile];
    if (text) parts.push({ kind: 'tag', text, tile, sees });
  };
  const { sequenceTiles, crossTiles } = routeTiles(architecture, tags.length);
  if (architecture === 'NVLM_X') crossTiles.forEach((tile, column) => tag(tile, column));
  for (const tile of sequenceTiles) {
    tag(tile, 'all');
    parts.push({ kind: 'visual', tile, sees: 'all' });
  }
  parts.push({ kind: 'text', text: wrapper.close, literal: [], sees: 'all' });
  return parts;
}
