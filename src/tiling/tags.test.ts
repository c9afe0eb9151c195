import { describe, expect, it } from 'vitest';
import { tileTags } from './tags.ts';

const grid = { cols: 3, rows: 2 };

describe('tileTags', () => {
  it('1d: numbered from 1, thumbnail last', () => {
    expect(tileTags(grid, 7, '1d')).toEqual([
      '<tile_1>',
      '<tile_2>',
      '<tile_3>',
      '<tile_4>',
      '<tile_5>',
      '<tile_6>',
      '<tile_global_thumbnail>',
    ]);
    expect(tileTags({ cols: 6, rows: 2 }, 13, '1d')[11]).toBe('<tile_12>');
  });

  it('2d-grid: column first, from 0', () => {
    expect(tileTags(grid, 7, '2d-grid')).toEqual([
      '<tile_x0_y0>',
      '<tile_x1_y0>',
      '<tile_x2_y0>',
      '<tile_x0_y1>',
      '<tile_x1_y1>',
      '<tile_x2_y1>',
      '<tile_global_thumbnail>',
    ]);
  });

  it('2d-bbox: corners in thousandths of the whole picture', () => {
    expect(tileTags(grid, 7, '2d-bbox')).toEqual([
      '<box> (0, 0), (333, 500) </box>',
      '<box> (333, 0), (667, 500) </box>',
      '<box> (667, 0), (1000, 500) </box>',
      '<box> (0, 500), (333, 1000) </box>',
      '<box> (333, 500), (667, 1000) </box>',
      '<box> (667, 500), (1000, 1000) </box>',
      '<tile_global_thumbnail>',
    ]);
  });

  it('none: empty, one a tile', () => {
    expect(tileTags(grid, 7, 'none')).toEqual(['', '', '', '', '', '', '']);
  });

  it("a single tile has the thumbnail's tag alone", () => {
    for (const format of ['1d', '2d-grid', '2d-bbox'] as const) {
      expect(tileTags({ cols: 1, rows: 1 }, 1, format)).toEqual(['<tile_global_thumbnail>']);
    }
  });

  it("leaves the thumbnail's tag out when there is no thumbnail", () => {
    expect(tileTags({ cols: 1, rows: 2 }, 2, '1d')).toEqual(['<tile_1>', '<tile_2>']);
  });

  it('refuses counts that the grid cannot give', () => {
    for (const count of [0, 1, 5, 8]) expect(() => tileTags(grid, count, '1d')).toThrow(RangeError);
    expect(() => tileTags({ cols: 1, rows: 1 }, 2, '1d')).toThrow(RangeError);
  });
});
