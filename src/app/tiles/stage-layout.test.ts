import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stageLayout, type Rect } from './stage-layout.ts';

const grids = fc
  .record({ cols: fc.integer({ min: 1, max: 12 }), rows: fc.integer({ min: 1, max: 12 }) })
  .filter(({ cols, rows }) => cols * rows <= 12);
const stages = fc.record({ width: fc.integer({ min: 300, max: 900 }), height: fc.integer({ min: 320, max: 700 }) });
const images = fc.record({ width: fc.integer({ min: 1, max: 20000 }), height: fc.integer({ min: 1, max: 20000 }) });

function overlap(a: Rect, b: Rect): boolean {
  const slack = 1e-6;
  return a.x + a.width > b.x + slack && b.x + b.width > a.x + slack && a.y + a.height > b.y + slack && b.y + b.height > a.y + slack;
}

describe('stageLayout', () => {
  it('keeps tiles inside the stage and apart from each other once pulled apart', () => {
    fc.assert(
      fc.property(grids, stages, images, (grid, stage, image) => {
        const thumbnail = grid.cols * grid.rows > 1;
        const { tiles, tileSide } = stageLayout({ ...grid, ...stage, image, thumbnail, letters: 8, pull: 2 });
        expect(tiles).toHaveLength(grid.cols * grid.rows + (thumbnail ? 1 : 0));
        for (const tile of tiles) {
          expect(tile.width).toBeCloseTo(tileSide);
          expect(tile.x).toBeGreaterThanOrEqual(-1e-6);
          expect(tile.y).toBeGreaterThanOrEqual(-1e-6);
          expect(tile.x + tile.width).toBeLessThanOrEqual(stage.width + 1e-6);
          expect(tile.y + tile.height).toBeLessThanOrEqual(stage.height + 1e-6);
        }
        for (const [index, a] of tiles.entries()) for (const b of tiles.slice(index + 1)) expect(overlap(a, b)).toBe(false);
      }),
    );
  });

  it('writes long tags on several lines, and none where tiles are too small', () => {
    const base = {
      width: 560,
      height: 300,
      image: { width: 3, height: 2 },
      cols: 3,
      rows: 2,
      thumbnail: true,
      pull: 2,
    };
    const short = stageLayout({ ...base, letters: 8 });
    const long = stageLayout({ ...base, letters: 30 });
    expect(short.captions && long.captions).toBe(true);
    expect(long.tileSide).toBeLessThan(short.tileSide);
    expect(stageLayout({ ...base, cols: 12, rows: 1, letters: 8 }).captions).toBe(false);
  });

  it('covers the picture with its tiles before they are cut', () => {
    const base = {
      width: 600,
      height: 500,
      image: { width: 1600, height: 900 },
      cols: 3,
      rows: 2,
      thumbnail: true,
      letters: 8,
    };
    const own = stageLayout({ ...base, pull: 0 });
    expect(own.picture.width / own.picture.height).toBeCloseTo(16 / 9);
    const squashed = stageLayout({ ...base, pull: 1 });
    expect(squashed.picture.width / squashed.picture.height).toBeCloseTo(3 / 2);
    const last = squashed.tiles[5]!;
    expect(last.x + last.width).toBeCloseTo(squashed.picture.x + squashed.picture.width);
    expect(last.y + last.height).toBeCloseTo(squashed.picture.y + squashed.picture.height);
  });
});
