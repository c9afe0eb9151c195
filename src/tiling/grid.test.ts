import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseGrid } from './grid.ts';

const goldens = JSON.parse(readFileSync(new URL('../../tests/fixtures/tiling/goldens/grids.json', import.meta.url), 'utf8')) as {
  maxTiles: number;
  tileSize: number /** width, height, cols, rows; and so on */;
  grids: number[];
}[];

/**
 * The rule once more, written from its words and sharing nothing with the code: scan all pairs by product, compare,
 * replace.
 */
function naive(width: number, height: number, maxTiles: number, tileSize: number): [number, number] {
  const pairs: [number, number][] = [];
  for (let i = 1; i <= maxTiles; i++) for (let j = 1; j <= maxTiles; j++) if (i * j <= maxTiles) pairs.push([i, j]);
  pairs.sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  let best: [number, number] = [1, 1];
  let least = Infinity;
  for (const [i, j] of pairs) {
    const difference = Math.abs(width / height - i / j);
    if (difference < least) {
      least = difference;
      best = [i, j];
    } else if (difference === least && width * height > 0.5 * tileSize * tileSize * i * j) best = [i, j];
  }
  return best;
}

describe('chooseGrid', () => {
  it.each(goldens)('equals the reference: at most $maxTiles tiles of $tileSize', ({ maxTiles, tileSize, grids }) => {
    expect(grids.length / 4).toBe(1656);
    const wrong: string[] = [];
    for (let at = 0; at < grids.length; at += 4) {
      const [width, height, cols, rows] = grids.slice(at, at + 4) as [number, number, number, number];
      const grid = chooseGrid(width, height, maxTiles, tileSize);
      if (grid.cols !== cols || grid.rows !== rows) wrong.push(`${width}×${height}: ${grid.cols}×${grid.rows}, not ${cols}×${rows}`);
    }
    expect(wrong).toEqual([]);
  });

  it('equals an independent implementation on random sizes and on exact ties', () => {
    const side = fc.integer({ min: 1, max: 6000 });
    // Aspects halfway between two grids, as exact multiples of small fractions.
    const tie = fc
      .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 200 }))
      .map(([a, b, k]): [number, number] => [a * k, b * k]);
    const size = fc.oneof(fc.tuple(side, side), tie);
    const options = {
      maxTiles: fc.integer({ min: 1, max: 12 }),
      tileSize: fc.integer({ min: 1, max: 20 }).map((n) => n * 28),
    };
    fc.assert(
      fc.property(size, fc.record(options), ([width, height], { maxTiles, tileSize }) => {
        const grid = chooseGrid(width, height, maxTiles, tileSize);
        expect([grid.cols, grid.rows]).toEqual(naive(width, height, maxTiles, tileSize));
        expect(grid.candidates.filter((candidate) => candidate.chosen)).toHaveLength(1);
      }),
      { numRuns: 5000 },
    );
  });

  it("lists the paper's 14 grids for 6 tiles, fewest tiles first", () => {
    const { candidates } = chooseGrid(800, 600, 6, 448);
    expect(candidates).toHaveLength(14);
    const products = candidates.map(({ cols, rows }) => cols * rows);
    expect(products).toEqual(products.toSorted((a, b) => a - b));
    expect(candidates.find(({ chosen }) => chosen)).toMatchObject({ cols: 3, rows: 2, tie: false });
  });

  it('flags ties and says who won them and why', () => {
    const small = chooseGrid(633, 634, 6, 448);
    expect(small.candidates.find(({ cols, rows }) => cols === 2 && rows === 2)).toMatchObject({
      tie: true,
      tieWon: false,
    });
    expect(small.reason).toBe(
      "Tie: 1×1 and 2×2 are equally near to the picture's aspect ratio 0.9984 (difference 0.001577). The larger grid" +
        ' wins only if the picture has more than half of its pixels: 2×2 needs more than 401,408; ' +
        'the picture has 401,322, so 1×1 stays.',
    );
    const large = chooseGrid(634, 634, 6, 448);
    expect(large.candidates.find(({ cols, rows }) => cols === 2 && rows === 2)).toMatchObject({
      tie: true,
      tieWon: true,
      chosen: true,
    });
    expect(large.reason).toMatch(/401,956, so 2×2 wins\.$/);
    expect(chooseGrid(1920, 1080, 6, 448).reason).toBe(
      "2×1 wins: its aspect ratio 2 is nearest to the picture's 1.778 (difference 0.2222).",
    );
  });

  it('does not let exactly half win', () => {
    expect(196 * 200).toBe(0.5 * 280 * 280);
    expect(chooseGrid(196, 200, 6, 140)).toMatchObject({ cols: 1, rows: 1 });
    expect(chooseGrid(197, 200, 6, 140)).toMatchObject({ cols: 2, rows: 2 });
  });

  it.each([
    [0, 5, 6, 448],
    [5, 0, 6, 448],
    [1.5, 2, 6, 448],
    [5, 5, 0, 448],
    [5, 5, 13, 448],
    [5, 5, 2.5, 448],
    [5, 5, 6, 0],
    [5, 5, 6, 30],
    [5, 5, 6, -28],
    [5, 5, 6, 1820],
    [Number.NaN, 5, 6, 448],
  ])('refuses %d×%d, %d tiles of %d', (width, height, maxTiles, tileSize) => {
    expect(() => chooseGrid(width, height, maxTiles, tileSize)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
