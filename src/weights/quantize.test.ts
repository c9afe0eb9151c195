import fc from 'fast-check';
import { expect, it } from 'vitest';
import { unpackAffine } from '../ops/affine.ts';
import { quantizedRows, quantizeGroups } from './quantize.ts';

function quantize(values: Float32Array, bits: 4 | 8, groupSize: number) {
  const rows = quantizedRows(1, values.length, bits, groupSize);
  quantizeGroups(values, bits, groupSize, rows, 0);
  return rows;
}

it('packs by hand-made example as MLX does: the far end exact, the first number lowest', () => {
  // The maximum is farther from zero, so the scale is negative and counts down from 1.5.
  const values = Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? 1.5 : i === 1 ? 0 : i === 2 ? -0.1 : 0.75));
  const { words, scales, biases } = quantize(values, 4, 32);
  // (1.5 − −0.1) / 15 = 0.10667; round(1.5 / −0.10667) = −14, so scale = 1.5 / −14.
  expect(scales[0]).toBeCloseTo(-1.5 / 14, 6);
  expect(biases[0]).toBe(1.5);
  expect([0, 4, 8, 12].map((shift) => (words[0]! >>> shift) & 15)).toEqual([0, 14, 15, 7]);
});

it('rounds a value half-way between two steps to the even one', () => {
  // 0 … 15 over 15 steps: the scale is −1, the bias 15, and 15 − 2.5 is half-way.
  const values = Float32Array.from({ length: 32 }, (_, i) => [0, 15, 2.5, 3.5][i] ?? 8);
  const { words, scales, biases } = quantize(values, 4, 32);
  expect([scales[0], biases[0]]).toEqual([-1, 15]);
  expect([0, 4, 8, 12].map((shift) => (words[0]! >>> shift) & 15)).toEqual([15, 0, 12, 12]);
});

it('restores every value within half a step, and zero and the far end exactly', () => {
  const group = fc.array(fc.float({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true }), { minLength: 64, maxLength: 64 });
  fc.assert(
    fc.property(group, fc.constantFrom(4, 8) as fc.Arbitrary<4 | 8>, fc.constantFrom(32, 64), (list, bits, groupSize) => {
      const values = Float32Array.from(list);
      const packed = quantize(values, bits, groupSize);
      const restored = unpackAffine(packed, bits, groupSize);
      values.forEach((value, i) => {
        const group = Math.floor(i / groupSize);
        const members = values.subarray(group * groupSize, (group + 1) * groupSize);
        const step = Math.abs(packed.scales[group]!);
        const far = members.reduce((most, member) => Math.max(most, Math.abs(member)), 0);
        // Fitting zero moves the range's near end by up to half a step.
        expect(Math.abs(restored[i]! - value)).toBeLessThanOrEqual(step * 1.01 + far * 1e-5);
        if (Math.abs(value) === far && value === packed.biases[group]) expect(restored[i]).toBe(value);
      });
    }),
  );
});

it('keeps a constant group', () => {
  for (const value of [0, 0.3, -7]) {
    const restored = unpackAffine(quantize(new Float32Array(32).fill(value), 4, 32), 4, 32);
    for (const got of restored) expect(got).toBeCloseTo(value, 5);
  }
});
