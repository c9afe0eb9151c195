import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeImage } from './decode.ts';

const fixtures = new URL('../../tests/fixtures/tiling/', import.meta.url);
const { decode: cases } = JSON.parse(readFileSync(new URL('manifest.json', fixtures), 'utf8')) as {
  decode: { file: string; width: number; height: number; tolerance: number }[];
};

/** Pixels equal Pillow's own: exif_transpose, alpha pasted on white (tests/fixtures/tiling/make.py). */
describe('decodeImage', () => {
  it.each(cases)('$file', async ({ file, width, height, tolerance }) => {
    const image = await decodeImage(readFileSync(new URL(`files/${file}`, fixtures)));
    expect({ width: image.width, height: image.height }).toEqual({ width, height });
    const expected = gunzipSync(readFileSync(new URL(`expected/${file}.rgb.gz`, fixtures)));
    expect(image.data.length).toBe(expected.length);
    let worst = 0;
    for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(expected[i]! - image.data[i]!));
    expect(worst).toBeLessThanOrEqual(tolerance);
  });
});
