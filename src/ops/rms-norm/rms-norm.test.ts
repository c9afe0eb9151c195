import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { rmsNorm } from './rms-norm.ts';

testOpCases('rmsNorm');

forEachBackend(
  (_, device) => {
    test('more rows than a dispatch dimension has workgroups', async () => {
      const rows = 65_600;
      const x = tf.reshape<tf.Rank.R2>(tf.range(1, 2 * rows + 1), [rows, 2]);
      const y = rmsNorm(x, tf.tensor1d([1, 2]), 0);
      const values = await device().read(y);
      for (const row of [0, 65_534, 65_535, rows - 1]) {
        const [a, b] = [2 * row + 1, 2 * row + 2];
        const rms = Math.sqrt((a * a + b * b) / 2);
        expect(values[2 * row]).toBeCloseTo(a / rms, 4);
        expect(values[2 * row + 1]).toBeCloseTo((2 * b) / rms, 4);
      }
      tf.dispose([x, y]);
    });
  },
  ['webgpu'],
);
