import { nearestAspect } from './nearest-aspect.ts';
import { completeOptions } from './options.ts';
import { tileTags, type TagFormat } from './tags.ts';
import type { Box, RgbImage, Tile, Tiler, Tiling, TilingOptions } from './types.ts';

/**
 * Cuts a picture as a model sees it: resized to the grid that the rule chooses, cut row by row, and, when there is more than one
 * tile, the whole picture once more as a thumbnail. A picture of one tile has no thumbnail; its tile bears the thumbnail's tag.
 * @param tiler the family's rule; NVLM's if none is given
 * @throws NvlmError `usage` for options out of range
 */
export function tileImage(image: RgbImage, options: TilingOptions, tagFormat: TagFormat, tiler: Tiler = nearestAspect): Tiling {
  const complete = completeOptions(options);
  const { tileSize: side, useThumbnail } = complete;
  const grid = tiler.chooseGrid(image.width, image.height, complete.maxTiles, side);
  const { cols, rows } = grid;
  const canvas = tiler.canvas(image, grid, side);
  const regular = cols * rows;
  const count = regular > 1 && useThumbnail ? regular + 1 : regular;
  const cut = tileTags(grid, count, tagFormat).map((tag, k): Omit<Tile, 'index'> => {
    if (k === regular) {
      const box = { x: 0, y: 0, width: canvas.width, height: canvas.height };
      return { col: 0, row: 0, box, thumbnail: true, tag, pixels: tiler.thumbnail(image, canvas, side) };
    }
    const col = k % cols;
    const row = Math.floor(k / cols);
    const box = { x: col * side, y: row * side, width: side, height: side };
    return { col, row, box, thumbnail: false, tag, pixels: crop(canvas, box) };
  });
  if (count > regular && tiler.thumbnailPlace === 'first') cut.unshift(cut.pop()!);
  const tiles = cut.map((tile, index) => ({ index, ...tile }));
  return { image: { width: image.width, height: image.height }, options: complete, tagFormat, grid, canvas, tiles };
}

function crop(image: RgbImage, box: Box): RgbImage {
  const data = new Uint8Array(box.width * box.height * 3);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.y + y) * image.width + box.x) * 3;
    data.set(image.data.subarray(from, from + box.width * 3), y * box.width * 3);
  }
  return { width: box.width, height: box.height, data };
}
