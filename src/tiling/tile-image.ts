import { chooseGrid } from './grid.ts';
import { completeOptions } from './options.ts';
import { resizeImage } from './resize.ts';
import { tileTags } from './tags.ts';
import type { Box, RgbImage, TagFormat, Tile, Tiling, TilingOptions } from './types.ts';

/**
 * Cuts a picture as NVLM sees it (paper §4.1): the whole picture resized (aspect ratio not kept) to the chosen grid of
 * tiles, cut row by row, and, when there is more than one tile, the whole picture once more as a thumbnail, resized
 * from the original. A picture of one tile has no thumbnail; its tile bears the thumbnail's tag.
 * @throws NvlmError `usage` for options out of range
 */
export function tileImage(image: RgbImage, options: TilingOptions, tagFormat: TagFormat): Tiling {
  const complete = completeOptions(options);
  const { tileSize: side, useThumbnail } = complete;
  const grid = chooseGrid(image.width, image.height, complete.maxTiles, side);
  const { cols, rows } = grid;
  const canvas = resizeImage(image, cols * side, rows * side);
  const regular = cols * rows;
  const count = regular > 1 && useThumbnail ? regular + 1 : regular;
  const tags = tileTags(grid, count, tagFormat);
  const tiles = tags.map((tag, index): Tile => {
    if (index === regular) {
      const box = { x: 0, y: 0, width: canvas.width, height: canvas.height };
      return { index, col: 0, row: 0, box, thumbnail: true, tag, pixels: resizeImage(image, side, side) };
    }
    const col = index % cols;
    const row = Math.floor(index / cols);
    const box = { x: col * side, y: row * side, width: side, height: side };
    return { index, col, row, box, thumbnail: false, tag, pixels: crop(canvas, box) };
  });
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
