import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packHalves } from '../numbers/half.ts';
import { areFiniteHalves, bf16ToF16, bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, maxAbs, toF32 } from './dtype.ts';

const everyHalf = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
const isNaNHalf = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;

/** Finite non-negative halves in rising order: the value of bit pattern i. */
const halfValues = Array.from(f16ToF32(everyHalf.subarray(0, 0x7c00)));

/** The nearest half by search, ties to the even pattern: slow and plainly right. */
function nearestHalf(x: number): number {
  const abs = Math.abs(x);
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (abs >= 65520) return sign | 0x7c00;
  let low = 0;
  let high = halfValues.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (halfValues[middle]! <= abs) low = middle;
    else high = middle - 1;
  }
  const below = abs - halfValues[low]!;
  const above = (halfValues[low + 1] ?? 65536) - abs;
  const up = above < below || (above === below && low % 2 === 1);
  return sign | (up ? low + 1 : low);
}

describe('half precision', () => {
  it('knows landmarks', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00, 0x8000);
    expect([...f16ToF32(bits)]).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, Infinity, -0]);
  });

  it('takes every half to f32 and back unchanged', () => {
    const back = f32ToF16(f16ToF32(everyHalf));
    for (const bits of everyHalf) {
      if (isNaNHalf(bits)) expect(isNaNHalf(back[bits]!)).toBe(true);
      else if (back[bits] !== bits) expect(back[bits]).toBe(bits);
    }
  });

  it('rounds to the nearest, ties to even, at and around every boundary', () => {
    const f32 = new Float32Array(1);
    const words = new Uint32Array(f32.buffer);
    for (let i = 0; i < halfValues.length; i++) {
      // The midpoint is exact in f32, and its neighbours are one f32 step away.
      f32[0] = (halfValues[i]! + (halfValues[i + 1] ?? 65536)) / 2;
      const middle = words[0]!;
      for (const word of [middle - 1, middle, middle + 1]) {
        words[0] = word;
        const got = f32ToF16(f32)[0]!;
        if (got !== nearestHalf(f32[0]!)) expect(got).toBe(nearestHalf(f32[0]!));
      }
    }
  });

  it('rounds any float like the search does', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (x) => {
        expect(f32ToF16(Float32Array.of(x))[0]).toBe(nearestHalf(x));
      }),
      { numRuns: 3000 },
    );
  });
});

it('halves are finite below infinity, of either sign', () => {
  expect(areFiniteHalves(Uint16Array.of(0, 0x7bff, 0xfbff))).toBe(true);
  for (const bits of [0x7c00, 0xfc00, 0x7e00, 0xfe01]) expect(areFiniteHalves(Uint16Array.of(0, bits, 1))).toBe(false);
});

describe('bfloat16', () => {
  it('is the upper half of a float', () => {
    expect([...bf16ToF32(Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0001))]).toEqual([1, -2, Infinity, 2 ** -133]);
  });

  it('rounds f32 to the nearest, ties to even', () => {
    const bits = new Uint32Array([0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x7fc00001]);
    expect([...f32ToBf16(new Float32Array(bits.buffer))]).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0x7fc0]);
  });

  it('goes to half as through f32', () => {
    const viaFloat = f32ToF16(bf16ToF32(everyHalf));
    const halves = new Uint16Array(everyHalf.length);
    bf16ToF16(everyHalf, halves);
    expect(halves).toEqual(viaFloat);
  });

  it('says of its way to half what half cannot hold', () => {
    const value = new Uint16Array(1);
    const found = everyHalf.map((bits) => ['finite', 'too large', 'not finite'].indexOf(bf16ToF16(Uint16Array.of(bits), value)));
    const expected = Uint16Array.from(bf16ToF32(everyHalf), (x) => (Number.isFinite(x) ? (Math.abs(x) > 65504 ? 1 : 0) : 2));
    expect(found).toEqual(expected);
    // One is enough, and the worst counts.
    expect(bf16ToF16(Uint16Array.of(0x4780, 0, 0), new Uint16Array(3))).toBe('too large');
    expect(bf16ToF16(Uint16Array.of(0, 0xff80, 0x4780), new Uint16Array(3))).toBe('not finite');
  });
});

describe('tensors of a file', () => {
  it('are read at odd offsets', () => {
    const buffer = new Uint8Array(1 + 8);
    buffer.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
    expect([...toF32('F32', buffer.subarray(1))!]).toEqual([1.5, -2]);
    const halves = new Uint8Array(1 + 4);
    halves.set([0x00, 0x3c, 0x00, 0xc0], 1);
    expect([...toF32('F16', halves.subarray(1))!]).toEqual([1, -2]);
    expect(toF32('I64', new Uint8Array(8))).toBeNull();
  });

  it('do not share memory with the chunk they came in', () => {
    const chunk = new Uint8Array(Float32Array.of(3).buffer);
    const value = toF32('F32', chunk)!;
    chunk.fill(0);
    expect(value[0]).toBe(3);
  });

  it('pack two halves a word, low half first, rows padded', () => {
    expect([...packHalves(Uint16Array.of(1, 2, 3, 4), 2, 2)]).toEqual([0x20001, 0x40003]);
    expect([...packHalves(Uint16Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([0x20001, 3, 0x50004, 6]);
  });

  it('show overflow and NaN by their largest value', () => {
    expect(maxAbs(Float32Array.of(1, -70000, 3))).toBe(70000);
    expect(maxAbs(Float32Array.of(1, NaN, 3))).toBeNaN();
    expect(maxAbs(Float32Array.of(-Infinity))).toBe(Infinity);
  });
});
