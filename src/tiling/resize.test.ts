import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { resizeImage, resizeUnrounded, type ResizeFilter } from './resize.ts';
import type { RgbImage } from './types.ts';

const fixtures = new URL('../../tests/fixtures/tiling/', import.meta.url);
const { resize: cases } = JSON.parse(readFileSync(new URL('manifest.json', fixtures), 'utf8')) as {
  resize: { from: [number, number]; to: [number, number]; filter: ResizeFilter; file: string }[];
};

/** The integers of `pattern` in make.py. */
function pattern(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, at++) {
        data[at] =
          x * 5 + y * 3 + c * 70 + ((x * x * 7 + y * y * 13 + x * y * (c + 3)) % 97) + ((Math.floor(x / 9) + Math.floor(y / 7)) % 2) * 90;
      }
    }
  }
  return { width, height, data };
}

/** Pillow 12.3 (make.py says why not 13). */
describe('resizeImage', () => {
  it.each(cases)('is bit-equal to Pillow: $file', ({ from, to, filter, file }) => {
    const image = pattern(...from);
    const before = image.data.slice();
    const resized = resizeImage(image, ...to, filter);
    const expected = gunzipSync(readFileSync(new URL(`resized/${file}.rgb.gz`, fixtures)));
    expect([resized.width, resized.height, resized.data.length]).toEqual([...to, expected.length]);
    expect(Buffer.compare(resized.data, expected)).toBe(0);
    expect(resized.data).not.toBe(image.data);
    expect(Buffer.compare(image.data, before)).toBe(0);
  });

  it('brings 12 megapixels to 3×2 tiles and a thumbnail in well under a second', () => {
    const image = { width: 4000, height: 3000, data: new Uint8Array(4000 * 3000 * 3).fill(77) };
    resizeImage(pattern(400, 300), 200, 100); // compiled before it is measured
    const start = process.cpuUsage(); // not the clock: neighbours on the machine are no fault of ours
    const canvas = resizeImage(image, 1344, 896);
    const thumbnail = resizeImage(image, 448, 448);
    const ms = process.cpuUsage(start).user / 1000;
    expect(canvas.data.every((value) => value === 77) && thumbnail.data.every((value) => value === 77)).toBe(true);
    expect(ms).toBeLessThan(1500); // 450 ms on the machine it was written on
  });

  it('refuses sizes that are not whole numbers of at least 1', () => {
    for (const size of [0, -1, 1.5, Number.NaN]) expect(() => resizeImage(pattern(4, 4), size, 4)).toThrow(RangeError);
  });
});

describe('resizeUnrounded', () => {
  it('keeps what rounding to 8 bits takes away: eighths', () => {
    // torch 2.13: interpolate(x, size, mode='bilinear', antialias=True), 3 × 1 → 2 × 1 and 4 × 2 → 1 × 1.
    const row = (values: number[]) => Uint8Array.from(values.flatMap((value) => [value, value, value]));
    const two = resizeUnrounded({ width: 3, height: 1, data: row([0, 10, 255]) }, 2, 1);
    [3.75, 163.125].forEach((value, x) => expect(two.exact[3 * x]).toBeCloseTo(value, 4));
    expect([two.data[0], two.data[3]]).toEqual([4, 163]);
    const one = resizeUnrounded({ width: 4, height: 2, data: row([1, 2, 3, 4, 10, 20, 30, 40]) }, 1, 1);
    expect(one.exact[0]).toBeCloseTo(13.75, 5);
  });

  it('is within half a step of Pillow’s of the same kernel, and leaves a picture of that size as it is', () => {
    const image = pattern(61, 47);
    const { exact, data } = resizeUnrounded(image, 28, 28);
    const rounded = resizeImage(image, 28, 28, 'bilinear').data;
    // Pillow rounds after each pass.
    expect(Math.max(...exact.map((value, i) => Math.abs(value - rounded[i]!)))).toBeLessThan(1.01);
    expect(exact.some((value, i) => Math.abs(value - data[i]!) > 0.4)).toBe(true);
    expect([...resizeUnrounded(image, 61, 47).data]).toEqual([...image.data]);
  });
});
