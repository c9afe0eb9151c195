import { NvlmError } from '../errors.ts';
import type { Part } from './plan-parts.ts';
import type { TileMark } from './types.ts';

/** Far past any context; keeps a damaged configuration from asking for gigabytes of placeholders. */
const MAX_VISUAL_TOKENS = 1_000_000;

/** Which way each tile of a picture takes to the decoder (NVLM paper §4.2–4.4). */
export interface TileRouting {
  /** Tiles whose tokens stand in the decoder's sequence, in order; the others are read through gated cross-attention. */
  inSequence(tiles: readonly Pick<TileMark, 'thumbnail'>[]): number[];
  /**
   * Where the tag of a cross-attended tile stands: in the `text`, where its rows see that tile alone, or among the `keys`
   * before the tile's own tokens.
   */
  crossTags: 'text' | 'keys';
}

/** D: every tile stands in the sequence. */
export const unrolled: TileRouting = { inSequence: (tiles) => [...tiles.keys()], crossTags: 'text' };

/** X: none does; the text has the tags alone. */
export const crossAttended: TileRouting = { inSequence: () => [], crossTags: 'text' };

/** H: the thumbnail does; a picture of one tile is its own thumbnail, and has no tile to cross-attend. */
export const hybrid: TileRouting = {
  inSequence(tiles) {
    const thumbnail = tiles.findLastIndex((tile) => tile.thumbnail);
    return tiles.length === 0 ? [] : [thumbnail < 0 ? tiles.length - 1 : thumbnail];
  },
  crossTags: 'keys',
};

/** A stretch of a picture's block: text of the family's own, or a tile: its tag and its tokens, as the routing has them. */
export type BlockPiece = { text: string } | { tile: number };

/** How a family lays a picture out in the decoder's sequence. */
export interface ImageLayout {
  routing: TileRouting;
  /**
   * The block of one picture: every tile once, in sequence order, and what stands around and between them.
   * @param place which of the conversation's pictures it is, from 0, and how many there are: some families number several
   */
  block(tiles: readonly TileMark[], place: PicturePlace): BlockPiece[];
  /** Tokenise wrapper and tags as one text with what stands beside them, as Hugging Face does; else each tag by itself. */
  joinTags: boolean;
  /** What a chat template of content parts writes in place of a picture. */
  placeholder: string;
  /** In a content that is one text, the picture stands right beside the words, and not on a line of its own. */
  inline?: boolean;
}

export interface PicturePlace {
  picture: number;
  pictures: number;
}

/** The usual block: tiles one after the other between two marks. */
export function wrapped(open: string, close: string): ImageLayout['block'] {
  return (tiles) => [{ text: open }, ...tiles.map((_, tile) => ({ tile })), { text: close }];
}

/** Tiles of several pictures, numbered one after the other, by the way they take. */
export function routeTiles(
  { inSequence }: TileRouting,
  pictures: readonly (readonly Pick<TileMark, 'thumbnail'>[])[],
): { sequenceTiles: number[]; crossTiles: number[] } {
  const sequenceTiles: number[] = [];
  const crossTiles: number[] = [];
  let first = 0;
  for (const tiles of pictures) {
    const here = inSequence(tiles);
    sequenceTiles.push(...here.map((tile) => first + tile));
    crossTiles.push(...[...tiles.keys()].filter((tile) => !here.includes(tile)).map((tile) => first + tile));
    first += tiles.length;
  }
  return { sequenceTiles, crossTiles };
}

/**
 * What stands in the decoder's sequence for one picture.
 *
 * @param tiles in sequence order
 * @param place which picture it is, and `first`, the number of its first tile among those of all pictures
 * @param tokensPerTile of one tile after pixel shuffle
 * @throws NvlmError `bad-model` for more tokens than any model has room for
 */
export function imageBlock(
  tiles: readonly TileMark[],
  { first, ...place }: PicturePlace & { first: number },
  layout: ImageLayout,
  tokensPerTile: number,
): Part[] {
  if (!Number.isInteger(tokensPerTile) || tokensPerTile < 1 || tiles.length * tokensPerTile > MAX_VISUAL_TOKENS) {
    throw new NvlmError(
      'bad-model',
      `${tiles.length} tiles of ${tokensPerTile} tokens cannot be laid out.`,
      "Check force_image_size, patch_size and downsample_ratio in the model's config.json.",
    );
  }
  const here = new Set(layout.routing.inSequence(tiles));
  const columns = [...tiles.keys()].filter((tile) => !here.has(tile));
  const parts: Part[] = [];
  for (const piece of layout.block(tiles, place)) {
    if ('text' in piece) {
      parts.push({ kind: 'text', text: piece.text, literal: [], sees: parts.length === 0 ? 'none' : 'all' });
      continue;
    }
    const { tag } = tiles[piece.tile]!;
    const tile = first + piece.tile;
    if (here.has(piece.tile)) {
      if (tag) parts.push({ kind: 'tag', text: tag, tile, sees: 'all' });
      parts.push({ kind: 'visual', tile, sees: 'all' });
    } else if (tag && layout.routing.crossTags === 'text') {
      parts.push({ kind: 'tag', text: tag, tile, sees: columns.indexOf(piece.tile) });
    }
  }
  return parts;
}
