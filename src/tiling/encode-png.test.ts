import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeImage } from './decode.ts';
import { encodePng } from './encode-png.ts';

describe('encodePng', () => {
  it('writes what decodeImage reads back', async () => {
    const picture = fc
      .tuple(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 2, max: 20 }))
      .chain(([width, height]) =>
        fc.uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 }).map((data) => ({ width, height, data })),
      );
    await fc.assert(
      fc.asyncProperty(picture, async (image) => {
        const back = await decodeImage(await encodePng(image));
        expect(back.width).toBe(image.width);
        expect(Buffer.compare(back.data, image.data)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('is deterministic, and small for drawn pictures', async () => {
    const data = new Uint8Array(200 * 100 * 3).fill(240);
    for (let y = 30; y < 60; y++) data.fill(20, (y * 200 + 50) * 3, (y * 200 + 120) * 3);
    const bytes = await encodePng({ width: 200, height: 100, data });
    expect(Buffer.compare(bytes, await encodePng({ width: 200, height: 100, data }))).toBe(0);
    expect(bytes.length).toBeLessThan(700);
  });
});
