import { describe, expect, test } from 'vitest';
import { halvesOf, halvesWithoutWasm } from './half-floats.ts';

/** Every value that is finite and that a half can hold, in an order that leaves none to a lane of its own. */
const everyBfloat = Uint16Array.from({ length: 0x10000 }, (_, i) => (i * 40503) & 0xffff);
const bytesOf = (words: Uint16Array, shift = 0) => {
  const bytes = new Uint8Array(words.byteLength + shift);
  bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), shift);
  return bytes.subarray(shift);
};

describe('halves of a file', () => {
  test.each([0, 1, 3])('every bfloat16 that a half can hold becomes what the loop makes of it, %i bytes off', (shift) => {
    const held = everyBfloat.filter((bits) => (bits & 0x7fff) < 0x4780);
    const wanted = halvesWithoutWasm('BF16', bytesOf(held));
    const got = halvesOf('BF16', bytesOf(held, shift));
    expect(Buffer.compare(Buffer.from(bytesOf(got.halves.slice())), Buffer.from(bytesOf(wanted.halves)))).toBe(0);
    expect(got.found).toBe('finite');
  });

  test.each([1, 7, 8, 9, 15, 17, 1003])('%i values, with the last of them small', (count) => {
    const words = Uint16Array.from({ length: count }, (_, i) => (i === count - 1 ? 0xb123 : 0x3f80 + i));
    expect([...halvesOf('BF16', bytesOf(words)).halves]).toEqual([...halvesWithoutWasm('BF16', bytesOf(words)).halves]);
  });

  test('what no half can hold, and what is not finite, is noticed wherever it stands', () => {
    for (const [dtype, bits, found] of [
      ['BF16', 0x477f, 'finite'],
      ['BF16', 0x4780, 'too large'],
      ['BF16', 0xc780, 'too large'],
      ['BF16', 0x7f7f, 'too large'],
      ['BF16', 0x7f80, 'not finite'],
      ['BF16', 0xffc0, 'not finite'],
      ['F16', 0x7bff, 'finite'],
      ['F16', 0xfbff, 'finite'],
      ['F16', 0x7c00, 'not finite'],
      ['F16', 0xfe00, 'not finite'],
    ] as const) {
      for (const at of [0, 5, 8, 15, 16, 18]) {
        const words = new Uint16Array(19).fill(0x3f00);
        words[at] = bits;
        expect(halvesOf(dtype, bytesOf(words)).found).toBe(found);
        expect(halvesWithoutWasm(dtype, bytesOf(words)).found).toBe(found);
      }
    }
  });

  test('halves stay as they are, and memory grows with what comes', () => {
    const words = Uint16Array.from({ length: 3_000_001 }, (_, i) => i % 0x7c00);
    const { halves, found } = halvesOf('F16', bytesOf(words, 1));
    expect(found).toBe('finite');
    expect(Buffer.compare(Buffer.from(bytesOf(halves.slice())), Buffer.from(bytesOf(words)))).toBe(0);
  });
});
