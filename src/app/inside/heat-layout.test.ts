import { expect, it } from 'vitest';
import type { PictureLayout } from '../../engine/inside/inside-api.ts';
import { cellAt, cellRect, heatLayout } from './heat-layout.ts';

const LAYOUT: PictureLayout = {
  image: { width: 300, height: 100 },
  canvas: { width: 224, height: 112 },
  grid: { cols: 2, rows: 1 },
  tileSize: 112,
  cellsAcross: 4,
  tiles: [
    { index: 0, col: 0, row: 0, box: { x: 0, y: 0, width: 112, height: 112 }, thumbnail: false, tag: '<tile_1>' },
    { index: 1, col: 1, row: 0, box: { x: 112, y: 0, width: 112, height: 112 }, thumbnail: false, tag: '<tile_2>' },
    { index: 2, col: 0, row: 0, box: { x: 0, y: 0, width: 224, height: 112 }, thumbnail: true, tag: '<tile_global_thumbnail>' },
  ],
};

it.each([
  ['joined', 900],
  ['joined', 340],
  ['tiles', 900],
  ['tiles', 340],
] as const)('%s at %i px: every cell is found where it is drawn, and nothing overlaps', (view, width) => {
  const placed = heatLayout(LAYOUT, view, width, 400);
  for (const { x, y, width: w, height: h } of placed.tiles) {
    expect(x).toBeGreaterThanOrEqual(-1e-9);
    expect(x + w).toBeLessThanOrEqual(width + 1e-9);
    expect(y + h).toBeLessThanOrEqual(placed.height + 1e-9);
  }
  for (let tile = 0; tile < 3; tile++) {
    for (let cell = 0; cell < 16; cell++) {
      const rect = cellRect(placed, 4, tile, cell);
      expect(cellAt(placed, 4, rect.x + rect.width / 2, rect.y + rect.height / 2)).toEqual({ tile, cell });
    }
  }
  const [first, second, thumbnail] = placed.tiles;
  // Joined, the tiles share the picture's own proportions; cut, they are squares.
  if (view === 'joined') expect((2 * first!.width) / first!.height).toBeCloseTo(3);
  else expect(first!.width).toBeCloseTo(first!.height);
  expect(second!.x - first!.x - first!.width).toBeCloseTo(view === 'joined' ? 0 : 10);
  expect(thumbnail!.width).toBeCloseTo(thumbnail!.height);
  expect(cellAt(placed, 4, width + 5, 0)).toBeNull();
});
