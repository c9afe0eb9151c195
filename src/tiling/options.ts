import { NvlmError } from '../errors.ts';
import { MAX_TILE_SIZE, MAX_TILES, TILE_STEP } from './tile-limits.ts';
import type { Tiler, TilingOptions } from './types.ts';

/** @throws NvlmError `usage` */
export function checkGridOptions(
  maxTiles: number,
  tileSize: number,
  { mostTiles, tileStep }: Pick<Tiler, 'mostTiles' | 'tileStep'> = { mostTiles: MAX_TILES, tileStep: TILE_STEP },
): void {
  if (!Number.isInteger(maxTiles) || maxTiles < 1 || maxTiles > mostTiles) {
    throw new NvlmError('usage', `The maximum of tiles cannot be ${maxTiles}.`, `Give a whole number from 1 to ${mostTiles}.`);
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
