import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { floats } from '../op-case.ts';
import { crossAttention } from './cross-attention.ts';

testOpCases('crossAttention');

forEachBackend((_, device) => {
  // One row takes the decode path, six the tiled one.
  test.each([1, 6])('%i rows: a tag row reads its own tile only, a row before the image nothing', async (rows) => {
    const output = tf.tidy(() => {
      // Tile 0 is all ones, tile 1 all twos, padding all nines.
      const v = tf.tensor3d([1, 1, 2, 2, 1, 1, 9, 9], [1, 4, 2]);
      const k = tf.tensor3d(floats([1, 4, 2], 1).values, [1, 4, 2]);
      const sees = [
        [0, 1],
        [1, 0],
        [0, 0],
        [1, 1],
        [0, 1],
        [1, 0],
      ].slice(0, rows);
      return crossAttention(tf.tensor2d(floats([rows, 2], 2).values, [rows, 2]), k, v, {
        heads: 1,
        kvHeads: 1,
        rowTiles: tf.tensor2d(sees, [rows, 2], 'int32'),
        keyTiles: tf.tensor2d([[0, 1, 0, -1]], [1, 4], 'int32'),
      });
    });
    const values = await device().read(output);
    [2, 1, 0, null, 2, 1].slice(0, rows).forEach((expected, row) => {
      if (expected === null) expect(values[2 * row]).toSatisfy((value: number) => value > 1 && value < 2);
      else expect(values[2 * row]).toBeCloseTo(expected, 6);
    });
    if (rows > 2) expect([values[4], values[5]]).toEqual([0, 0]);
    output.dispose();
  });
});
