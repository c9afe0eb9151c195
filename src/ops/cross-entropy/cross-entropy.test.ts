import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { crossEntropy } from './cross-entropy.ts';

testOpCases('crossEntropy');

forEachBackend((_, device) => {
  test('sums over the labelled rows and stays finite for huge logits', async () => {
    const results = tf.tidy(() => {
      const logits = tf.tensor2d([
        [0, 0, 0, 0],
        [1e4, 0, 0, -1e4],
        [5, 6, 7, 8],
        [-1e4, 0, 1e4, 0],
      ]);
      const { loss, rowLosses } = crossEntropy(logits, tf.tensor1d([2, 0, -100, 1], 'int32'));
      const gradient = tf.grad((x) => crossEntropy(x as tf.Tensor2D, tf.tensor1d([-100, -100, -100, -100], 'int32')).loss);
      return [loss, rowLosses, gradient(logits)];
    });
    const [loss, rows, gradient] = await Promise.all(results.map((result) => device().read(result)));
    expect(loss![0]).toBeCloseTo(Math.log(4) + 1e4, 1);
    expect(rows![0]).toBeCloseTo(Math.log(4), 5);
    expect([rows![1], rows![2]]).toEqual([0, 0]);
    expect(gradient!.every((value) => value === 0)).toBe(true);
    tf.dispose(results);
  });
});
