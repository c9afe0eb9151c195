import { chooseGrid } from './grid.ts';
import { MAX_TILES, TILE_STEP } from './tile-limits.ts';
import { resizeImage } from './resize.ts';
import type { Tiler } from './types.ts';

/**
 * NVLM's rule and InternVL's (paper §4.1): the grid whose proportions are nearest to the picture's, the picture resized to it
 * with its aspect ratio not kept, the thumbnail from the original, behind the tiles.
 */
export const nearestAspect: Tiler = {
  mostTiles: MAX_TILES,
  tileStep: TILE_STEP,
  chooseGrid,
  canvas: (image, { cols, rows }, tileSize) => resizeImage(image, cols * tileSize, rows * tileSize),
  thumbnail: (image, _canvas, tileSize) => resizeImage(image, tileSize, tileSize),
  thumbnailPlace: 'last',
};
