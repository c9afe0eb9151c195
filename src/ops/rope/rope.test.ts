import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { rope } from './rope.ts';

testOpCases('rope');

forEachBackend((_, device) => {
  test('turns pairs (i, i + dim/2) of each head by their own angle, also far out', async () => {
    const positions = [0, 1, 20_011];
    const frequencies = [1, 0.25];
    const x = [1, 2, 3, 4, 5, 6, 7, 8];
    const y = tf.tidy(() => rope(tf.tensor2d([x, x, x]), tf.tensor1d(positions, 'int32'), tf.tensor1d(frequencies), 2));
    const values = await device().read(y);
    positions.forEach((position, r) => {
      for (let head = 0; head < 2; head++) {
        frequencies.forEach((frequency, i) => {
          const [a, b] = [x[4 * head + i]!, x[4 * head + i + 2]!];
          const [cos, sin] = [Math.cos(position * frequency), Math.sin(position * frequency)];
          const at = 8 * r + 4 * head + i;
          // Both angles are exact in single precision, so the only error left is that of sine and cosine.
          expect(values[at]).toBeCloseTo(a * cos - b * sin, 4);
          expect(values[at + 2]).toBeCloseTo(b * cos + a * sin, 4);
        });
      }
    });
    y.dispose();
  });
});
