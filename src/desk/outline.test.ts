import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circleContour, rasterise, readOutline } from './outline.ts';

const total = (coverage: Float64Array) => coverage.reduce((sum, c) => sum + c, 0);

describe('rasterise', () => {
  it('covers exactly the area of a box at any place inside', () => {
    const side = fc.double({ min: 0, max: 20, noNaN: true });
    fc.assert(
      fc.property(side, side, side, side, (x0, y0, x1, y1) => {
        const coverage = rasterise([[x0, y0, x1, y0, x1, y1, x0, y1]], 20, 20);
        expect(total(coverage)).toBeCloseTo(Math.abs((x1 - x0) * (y1 - y0)), 6);
      }),
    );
  });

  it('never throws, and stays between 0 and 1, for any polygon, outside the mask too', () => {
    const at = fc.double({ min: -60, max: 60, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(
          fc.array(at, { maxLength: 14 }).map((a) => a.slice(0, a.length - (a.length % 2))),
          { maxLength: 3 },
        ),
        (contours) => {
          const coverage = rasterise(contours, 12, 9);
          expect(coverage.length).toBe(108);
          expect(coverage.every((c) => c >= 0 && c <= 1)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('agrees with counting fine points inside a triangle that sticks out on every side', () => {
    const t = [-4, 3, 14, -5, 9, 15];
    const coverage = rasterise([t], 10, 10);
    const inside = (x: number, y: number) => {
      const side = (i: number, j: number) => (t[j]! - t[i]!) * (y - t[i + 1]!) - (t[j + 1]! - t[i + 1]!) * (x - t[i]!);
      return side(0, 2) > 0 && side(2, 4) > 0 && side(4, 0) > 0;
    };
    for (let row = 0; row < 10; row++) {
      for (let col = 0; col < 10; col++) {
        let hits = 0;
        for (let k = 0; k < 400; k++) hits += Number(inside(col + ((k % 20) + 0.5) / 20, row + (Math.floor(k / 20) + 0.5) / 20));
        expect(Math.abs(coverage[row * 10 + col]! - hits / 400), `${row}, ${col}`).toBeLessThan(0.03);
      }
    }
  });

  it('unites contours of one direction and cuts holes of the other', () => {
    const outer = [1, 1, 9, 1, 9, 9, 1, 9];
    const hole = [3, 3, 3, 7, 7, 7, 7, 3];
    expect(total(rasterise([outer, [3, 3, 7, 3, 7, 7, 3, 7]], 10, 10))).toBeCloseTo(64, 9);
    expect(total(rasterise([outer, hole], 10, 10))).toBeCloseTo(48, 9);
  });

  it('draws a round circle', () => {
    expect(total(rasterise([circleContour(10, 10, 8)], 20, 20)) / (Math.PI * 64)).toBeCloseTo(1, 2);
  });
});

describe('readOutline', () => {
  it('turns y downwards and flattens curves', () => {
    const [contour] = readOutline('10M0 0L10 0Q10 10 0 10Z', { x: 100, y: 200, scaleX: 2, scaleY: 3 });
    expect(contour?.slice(0, 4)).toEqual([100, 200, 120, 200]);
    expect(contour?.slice(-2)).toEqual([100, 170]);
    // The middle of the curve: (10 + 2·10 + 0) / 4.
    expect(contour?.slice(4 + 2 * 3, 4 + 2 * 4)).toEqual([100 + 2 * 7.5, 200 - 3 * 7.5]);
  });
});
