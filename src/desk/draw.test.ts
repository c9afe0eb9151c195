import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLAIN_STYLE, drawScene, randomStyle } from './draw.ts';
import type { Style } from './draw.ts';
import { FONT_OUTLINES } from './glyphs.ts';
import { makeScene } from './make-scene.ts';
import { Random } from './random.ts';
import { blankScene, putCell } from './scene.ts';
import type { Cell } from './scene.ts';
import { CELL, COLOURS, GRIDS, SHAPE_KINDS } from './vocabulary.ts';

function drawn(seed: number) {
  const rng = new Random(seed);
  return drawScene(makeScene(rng), randomStyle(rng), rng);
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

describe('drawScene', () => {
  it('gives the same bytes for the same seed, on every machine', () => {
    const pictures = createHash('sha256');
    for (let seed = 0; seed < 40; seed++) {
      const { width, height, data } = drawn(seed);
      pictures.update(`${width} ${height} `).update(data);
    }
    // Pinned: a change here changes every data set that people have made.
    expect(pictures.digest('hex')).toBe('5ef0622f94a3e1eff373581321a88d5fcd3418fd674a6af14517edd6532ba454');
    expect(sha256(drawn(1).data)).toBe(sha256(drawn(1).data));
    expect(sha256(drawn(1).data)).not.toBe(sha256(drawn(2).data));
  });

  it('is 28 px a cell and three bytes a pixel', () => {
    for (const grid of GRIDS) {
      const { width, height, data } = drawScene(blankScene('note', grid), PLAIN_STYLE, new Random(1));
      expect([width, height]).toEqual([grid.cols * 112, grid.rows * 112]);
      expect(data.length).toBe(width * height * 3);
    }
  });

  it('puts everything in its cell and leaves the rest alone', () => {
    const cell: fc.Arbitrary<Cell> = fc.oneof(
      fc.constantFrom(...'AGKMQW0458.').map((character) => ({ kind: 'character' as const, character })),
      fc.record({
        kind: fc.constant('shape' as const),
        shape: fc.constantFrom(...SHAPE_KINDS),
        colour: fc.constantFrom(...COLOURS),
        big: fc.boolean(),
      }),
      fc.constantFrom(...COLOURS).map((colour) => ({ kind: 'bar' as const, colour })),
    );
    const place = fc.integer({ min: 0, max: 7 });
    fc.assert(
      fc.property(cell, place, place, fc.integer(), (content, row, col, seed) => {
        const rng = new Random(seed);
        const style: Style = { ...randomStyle(rng), noise: 0 };
        const scene = blankScene('note', { cols: 2, rows: 2 });
        const empty = drawScene(scene, style, new Random(0)).data;
        putCell(scene, row, col, content);
        const { data, width } = drawScene(scene, style, rng);
        let inside = 0;
        const astray: string[] = [];
        for (let at = 0; at < data.length; at++) {
          if (data[at] === empty[at]) continue;
          const pixel = Math.floor(at / 3);
          const [x, y] = [(pixel % width) - col * CELL, Math.floor(pixel / width) - row * CELL];
          // Wide letters, moved by up to three pixels, may lean over; nothing gets further than that.
          if (!(x >= -7 && x < CELL + 7 && y >= -4 && y < CELL + 4)) astray.push(`${x}, ${y}`);
          if (x >= 0 && x < CELL && y >= 0 && y < CELL) inside++;
        }
        expect(astray).toEqual([]);
        expect(inside).toBeGreaterThan(10);
      }),
      { numRuns: 100 },
    );
  });

  it('cuts off at the edge what is wider than its cell', () => {
    const scene = blankScene('note', { cols: 1, rows: 1 });
    const empty = drawScene(scene, PLAIN_STYLE, new Random(0)).data;
    putCell(scene, 1, 3, { kind: 'character', character: 'W' });
    let cut = 0;
    for (const font of FONT_OUTLINES.keys()) {
      const { data, width } = drawScene(scene, { ...PLAIN_STYLE, font, size: 27, shift: { x: 3, y: 0 } }, new Random(0));
      const changed = [...data.keys()].filter((at) => data[at] !== empty[at]).map((at) => Math.floor(at / 3) % width);
      expect(Math.min(...changed)).toBeGreaterThan(width / 2);
      if (changed.includes(width - 1)) cut++;
    }
    expect(cut).toBeGreaterThan(3);
  });

  it('draws bars 20 px wide in their colour', () => {
    const scene = blankScene('chart', { cols: 1, rows: 1 });
    putCell(scene, 1, 2, { kind: 'bar', colour: 'red' });
    const { data, width } = drawScene(scene, PLAIN_STYLE, new Random(1));
    const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    expect(at(60, 28)).toEqual([214, 40, 40]);
    expect(at(79, 55)).toEqual([214, 40, 40]);
    for (const [x, y] of [
      [59, 30],
      [80, 30],
      [70, 27],
      [70, 56],
    ] as const)
      expect(at(x, y)).toEqual([...PLAIN_STYLE.background]);
  });

  it('adds grain of the style’s deviation, grey and centred', () => {
    const scene = blankScene('note', { cols: 3, rows: 2 });
    const style: Style = { ...PLAIN_STYLE, background: [120, 130, 140], noise: 8 };
    const { data } = drawScene(scene, style, new Random(5));
    let [sum, squares, coloured] = [0, 0, 0];
    for (let at = 0; at < data.length; at += 3) {
      const grain = data[at]! - 120;
      if (data[at + 1]! - 130 !== grain || data[at + 2]! - 140 !== grain) coloured++;
      sum += grain;
      squares += grain * grain;
    }
    const n = data.length / 3;
    expect(coloured).toBe(0);
    expect(Math.abs(sum / n)).toBeLessThan(0.1);
    expect(Math.sqrt(squares / n)).toBeGreaterThan(7.9);
    expect(Math.sqrt(squares / n)).toBeLessThan(8.1);
  });
});
