import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';
import { floatToHalf } from '../numbers/half.ts';
import { fitHalves, pairSides } from './pair-sides.ts';

it.each([
  ['zeros of both signs', [0, -0], true],
  ['the ends of what is normal', [2 ** -14, -(2 ** -14), 65504, -65504], true],
  ['eleven significant bits', [1 + 2 ** -10, -0.333251953125], true],
  ['a twelfth', [1 + 2 ** -11], false],
  ['a half below the normal ones', [1, 2 ** -15], false],
  ['what rounds to infinity', [65536], false],
  ['no number', [NaN], false],
])('%s: halves or not', (_, values, fits) => {
  expect(fitHalves(Float32Array.from(values))).toBe(fits);
});

forEachBackend(
  (_, device) => {
    it('every pair of halves is exact, also where the word would be a tiny float', async () => {
      const scales = Float32Array.from({ length: 70 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (1 + i / 1024) * 2 ** ((i % 29) - 14));
      const biases = scales.map((value, i) => (i % 3 === 0 ? 0 : -value));
      expect(fitHalves(scales)).toBe(true);
      const tensors = [tf.tensor2d(scales, [10, 7]), tf.tensor2d(biases, [10, 7])] as const;
      const pairs = pairSides(...tensors);
      expect(pairs.shape).toEqual([10, 7]);
      const words = new Uint32Array(await device().readIntegers(pairs));
      expect([...words]).toEqual(Array.from(scales, (scale, i) => (floatToHalf(biases[i]!) * 2 ** 16 + floatToHalf(scale)) >>> 0));
      tf.dispose([pairs, ...tensors]);
    });
  },
  ['webgpu'],
);
