import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage } from './decode.ts';
import { tileImage } from './tile-image.ts';
import type { RgbImage } from './types.ts';

const goldens = new URL('../../tests/fixtures/tiling/goldens/', import.meta.url);

function read(path: string): Promise<RgbImage> {
  return decodeImage(readFileSync(new URL(path, goldens)));
}

function noise(width: number, height: number): RgbImage {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 2_654_435_761) >>> 24) };
}

describe('tileImage', () => {
  it.each(['full-size', 'large-square', 'many', 'small-square', 'tall', 'wide'])("cuts %s into Pillow's own tiles", async (name) => {
    const expected = JSON.parse(readFileSync(new URL(`${name}/expected.json`, goldens), 'utf8')) as {
      tileSize: number;
      maxTiles: number;
      grid: [number, number];
      tiles: number;
    };
    const image = await read(`${name}/image.png`);
    const tiling = tileImage(image, { maxTiles: expected.maxTiles, tileSize: expected.tileSize }, '1d');
    expect([tiling.grid.cols, tiling.grid.rows]).toEqual(expected.grid);
    expect(tiling.tiles).toHaveLength(expected.tiles);
    for (const tile of tiling.tiles) {
      const golden = await read(`${name}/${tile.thumbnail ? 'thumbnail' : `tile_${tile.index + 1}`}.png`);
      expect(Buffer.compare(tile.pixels.data, golden.data), `tile ${tile.index}`).toBe(0);
    }
  });

  it('lays tiles out row by row, with boxes on the canvas and the thumbnail last', () => {
    const { canvas, tiles, image, options } = tileImage(noise(300, 200), { maxTiles: 6, tileSize: 28 }, '2d-grid');
    expect(image).toEqual({ width: 300, height: 200 });
    expect(options).toEqual({ maxTiles: 6, tileSize: 28, useThumbnail: true });
    expect([canvas.width, canvas.height]).toEqual([84, 56]);
    expect(tiles.map(({ col, row, thumbnail, tag }) => [col, row, thumbnail, tag])).toEqual([
      [0, 0, false, '<tile_x0_y0>'],
      [1, 0, false, '<tile_x1_y0>'],
      [2, 0, false, '<tile_x2_y0>'],
      [0, 1, false, '<tile_x0_y1>'],
      [1, 1, false, '<tile_x1_y1>'],
      [2, 1, false, '<tile_x2_y1>'],
      [0, 0, true, '<tile_global_thumbnail>'],
    ]);
    expect(tiles[4]!.box).toEqual({ x: 28, y: 28, width: 28, height: 28 });
    expect(tiles[6]!.box).toEqual({ x: 0, y: 0, width: 84, height: 56 });
    expect(tiles.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('gives one tile and no thumbnail for a one-tile grid, none on request', () => {
    const single = tileImage(noise(28, 28), { maxTiles: 6, tileSize: 28 }, '1d').tiles;
    expect(single.map(({ thumbnail, tag }) => [thumbnail, tag])).toEqual([[false, '<tile_global_thumbnail>']]);
    const bare = tileImage(noise(60, 30), { maxTiles: 6, tileSize: 28, useThumbnail: false }, '1d').tiles;
    expect(bare.map(({ tag }) => tag)).toEqual(['<tile_1>', '<tile_2>']);
  });

  it('refuses options out of range', () => {
    for (const options of [
      { maxTiles: 13, tileSize: 28 },
      { maxTiles: 6, tileSize: 100 },
    ]) {
      expect(() => tileImage(noise(8, 8), options, '1d')).toThrow(expect.objectContaining({ code: 'usage' }));
    }
  });
});
