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

interface PillowCase {
  name: string;
  /** base64 */
  file: string;
  width: number;
  height: number;
  /** base64 of the pixels */
  rgb: string;
}

const pillowCases = JSON.parse(readFileSync(new URL('pillow-cases.json', fixtures), 'utf8')) as PillowCase[];

/** Orientation in every place that Pillow knows, palettes, deep greys, missing ends (tests/fixtures/tiling/make-cases.py). */
describe('pictures as people bring them', () => {
  it.each(pillowCases)('$name', async ({ file, width, height, rgb }) => {
    const image = await decodeImage(Buffer.from(file, 'base64'));
    expect([image.width, image.height]).toEqual([width, height]);
    expect(Buffer.from(image.data).toString('base64')).toBe(rgb);
  });

  it('a PNG whose writer left its end out (tests/fixtures/cases/images)', async () => {
    const { width, height, data } = await decodeImage(readFileSync(new URL('../cases/images/noiend.png', fixtures)));
    expect([width, height, data.length]).toEqual([120, 80, 28800]);
  });

  it('an animation that is cut behind its first frame gives that frame', async () => {
    const bytes = readFileSync(new URL('files/animated.png', fixtures));
    expect(await decodeImage(bytes.subarray(0, bytes.length - 100))).toEqual(await decodeImage(bytes));
  });

  it('cut behind the picture, in something that may say how to turn it, is incomplete', async () => {
    const { file } = pillowCases.find(({ name }) => name === 'PNG: XMP behind the data')!;
    await expect(decodeImage(Buffer.from(file, 'base64').subarray(0, -60))).rejects.toMatchObject({
      code: 'bad-image',
      message: /incomplete/,
    });
  });
});
