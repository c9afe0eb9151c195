import { describe, expect, it } from 'vitest';
import { toPixelValues } from './pixel-values.ts';

describe('toPixelValues', () => {
  it("normalises into planes, a tile after the other, with the reference's f32 values", () => {
    const first = { width: 2, height: 2, data: Uint8Array.from([0, 1, 2, 255, 254, 253, 10, 20, 30, 127, 128, 129]) };
    const second = { width: 2, height: 2, data: new Uint8Array(12).fill(255) };
    const values = toPixelValues([first, second]);
    expect(values).toHaveLength(24);
    // numpy: (float32(x) / 255 - mean) / std
    expect(Array.from(values.subarray(0, 4))).toEqual([-2.1179039478302, 2.248908281326294, -1.9466564655303955, 0.0569397434592247]);
    expect(values[4]).toBe(Math.fround(Math.fround(Math.fround(1 / 255) - Math.fround(0.456)) / Math.fround(0.224)));
    expect(values[8]).toBeCloseTo((2 / 255 - 0.406) / 0.225, 5);
    expect(Array.from(values.subarray(12, 16))).toEqual(new Array(4).fill(values[1]));
  });

  it('refuses tiles of different sizes', () => {
    expect(() =>
      toPixelValues([
        { width: 2, height: 2, data: new Uint8Array(12) },
        { width: 1, height: 1, data: new Uint8Array(3) },
      ]),
    ).toThrow(RangeError);
  });
});
