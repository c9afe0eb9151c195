import { describe, expect, test } from 'vitest';
import { floatToHalf, halfToFloat, packHalves, unpackHalves } from './half.ts';

describe('half precision', () => {
  test('every finite half survives the way to a float and back', () => {
    for (let half = 0; half < 0x10000; half++) {
      if ((half & 0x7c00) === 0x7c00) continue;
      // Minus zero is one of them.
      expect(floatToHalf(halfToFloat(half)) | (half === 0x8000 ? 0x8000 : 0)).toBe(half);
    }
  });

  test('rounds to the nearest, ties to even', () => {
    expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00);
    expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(floatToHalf(1 + 2 ** -11 + 2 ** -20)).toBe(0x3c01);
    expect(floatToHalf(65504)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(floatToHalf(-1e9)).toBe(0xfc00);
    expect(floatToHalf(2 ** -25)).toBe(0);
    expect(floatToHalf(2 ** -24)).toBe(1);
    expect(halfToFloat(floatToHalf(NaN))).toBeNaN();
  });

  test('packs two a word, low first, an odd row padded with zero', () => {
    const packed = packHalves(Uint16Array.from([1, -2, 0.5, 3, 4, 5], floatToHalf), 2, 3);
    expect([...packed].map((word) => (word >>> 0).toString(16))).toEqual(['c0003c00', '3800', '44004200', '4500']);
    expect([...unpackHalves(packed, 2, 3)]).toEqual([1, -2, 0.5, 3, 4, 5]);
  });
});
