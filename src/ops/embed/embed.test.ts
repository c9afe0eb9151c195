import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { embed } from './embed.ts';

testOpCases('embed');

forEachBackend((_, device) => {
  test('puts visual tokens where their slots are and leaves the table alone there', async () => {
    const results = tf.tidy(() => {
      const data = tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const visual = tf.tensor2d([
        [10, 20],
        [30, 40],
      ]);
      const ids = tf.tensor1d([2, 0, 0, 2], 'int32');
      const slots = tf.tensor1d([-1, 1, -1, 0], 'int32');
      const compute = (table: tf.Tensor, image: tf.Tensor) =>
        embed(ids, { kind: 'f32', vocab: 3, width: 2, data: table as tf.Tensor2D }, image as tf.Tensor2D, slots);
      const gradients = tf.grads((table, image) =>
        compute(table!, image!)
          .mul(tf.tensor2d([[1], [10], [100], [1000]]))
          .sum(),
      )([data, visual]);
      return [compute(data, visual), ...gradients];
    });
    const [output, table, visual] = await Promise.all(results.map((result) => device().read(result)));
    expect([...output!]).toEqual([5, 6, 30, 40, 1, 2, 10, 20]);
    expect([...table!]).toEqual([100, 100, 0, 0, 1, 1]);
    expect([...visual!]).toEqual([1000, 1000, 10, 10]);
    tf.dispose(results);
  });

  test('an image without visual tokens is text', async () => {
    const output = tf.tidy(() =>
      embed(
        tf.tensor1d([1], 'int32'),
        {
          kind: 'f32',
          vocab: 2,
          width: 2,
          data: tf.tensor2d([
            [1, 2],
            [3, 4],
          ]),
        },
        tf.zeros([0, 2]),
        tf.tensor1d([-1], 'int32'),
      ),
    );
    expect([...(await device().read(output))]).toEqual([3, 4]);
    output.dispose();
  });
});
