import { NvlmError } from '../errors.ts';
import type { TilingOptions } from './types.ts';

export const MIN_TILES = 1;
export const MAX_TILES = 12;
/** 14-pixel patches, merged two by two. */
export const TILE_STEP = 28;
/** Four times the paper's 448; beyond it, 12 tiles fill hundreds of megabytes. */
export const MAX_TILE_SIZE = 1792;

/** @throws NvlmError `usage` */
export function checkGridOptions(maxTiles: number, tileSize: number): void {
  if (!Number.isInteger(maxTiles) || maxTiles < MIN_TILES || maxTiles > MAX_TILES) {
    throw new NvlmError(
      'usage',
      `The maximum of tiles cannot be ${maxTiles}.`,
      `Give a whole number from ${MIN_TILES} to ${MAX_TILES}.`,
    );
  }
  if (!Number.isInteger(tileSize) || tileSize < TILE_STEP || tileSize > MAX_TILE_SIZE || tileSize % TILE_STEP !== 0) {
    throw new NvlmError(
      'usage',
      `The tile size cannot be ${tileSize} pixels.`,
      `Give a multiple of ${TILE_STEP} from ${TILE_STEP} to ${MAX_TILE_SIZE}.`,
    );
  }
}

/**
 * Validates options and fills in the default.
 * @throws NvlmError `usage`
 */
export function completeOptions(options: TilingOptions): Required<TilingOptions> {
  checkGridOptions(options.maxTiles, options.tileSize);
  return { maxTiles: options.maxTiles, tileSize: options.tileSize, useThumbnail: options.useThumbnail ?? true };
}
