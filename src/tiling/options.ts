import { NvlmError } from '../errors.ts';
import type { Tiler, TilingOptions } from './types.ts';

/** Most regular tiles of NVLM's rule. */
export const MAX_TILES = 12;
/** Most of any family's rule: what a command takes before it knows the model. */
export const MAX_TILES_ANYWHERE = 64;
/** 14-pixel patches, merged two by two. */
export const TILE_STEP = 28;
/** Four times the paper's 448; beyond it, 12 tiles fill hundreds of megabytes. */
export const MAX_TILE_SIZE = 1792;

/** @throws NvlmError `usage` */
export function checkGridOptions(
  maxTiles: number,
  tileSize: number,
  { mostTiles, tileStep }: Pick<Tiler, 'mostTiles' | 'tileStep'> = { mostTiles: MAX_TILES, tileStep: TILE_STEP },
): void {
  if (!Number.isInteger(maxTiles) || maxTiles < 1 || maxTiles > mostTiles) {
    throw new NvlmError(
      'usage',
      `The maximum of tiles cannot be ${maxTiles}.`,
      `Give a whole number from 1 to ${mostTiles}.`,
    );
  }
  if (!Number.isInteger(tileSize) || tileSize < tileStep || tileSize > MAX_TILE_SIZE || tileSize % tileStep !== 0) {
    throw new NvlmError(
      'usage',
      `The tile size cannot be ${tileSize} pixels.`,
      `Give a multiple of ${tileStep} from ${tileStep} to ${MAX_TILE_SIZE}.`,
    );
  }
}

/** Fills in the defaults. */
export function completeOptions(options: TilingOptions): Required<TilingOptions> {
  return { maxTiles: options.maxTiles, tileSize: options.tileSize, useThumbnail: options.useThumbnail ?? true };
}
