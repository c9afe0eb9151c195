import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { applyGate } from './gate.ts';

testOpCases('gate');

forEachBackend((backend, device) => {
  test('is one number for all', async () => {
    const [y, dx, dgate] = tf.tidy(() => {
      const x = tf.tensor2d([
        [1, -2],
        [3, 4],
        [0, 5],
      ]);
      const [dx, dgate] = tf.grads((x, gate) => applyGate(x as tf.Tensor2D, gate as tf.Tensor1D))(
        [x, tf.tensor1d([0.5])],
        tf.tensor2d([
          [1, 1],
          [2, 0],
          [7, -1],
        ]),
      );
      return [applyGate(x, tf.tensor1d([0.5])), dx!, dgate!];
    });
    expect([...(await device().read(y))]).toEqual([0.5, -1, 1.5, 2, 0, 2.5]);
    expect([...(await device().read(dx))]).toEqual([0.5, 0.5, 1, 0, 3.5, -0.5]);
    // 1 − 2 + 6 + 0 + 0 − 5
    expect([...(await device().read(dgate))]).toEqual([0]);
    tf.dispose([y, dx, dgate]);
  });

  // On WebGPU there is no double precision.
  if (backend !== 'webgpu') {
    test('has the gradient of terms that cancel almost wholly', async () => {
      const rows = 999;
      const terms = Array.from({ length: rows }, (_, row) => [row % 2 === 0 ? 1e7 : 0.25, row % 2 === 0 ? -1e7 : 0.25]);
      const dgate = tf.tidy(
        () => tf.grads((x, gate) => applyGate(x as tf.Tensor2D, gate as tf.Tensor1D))([tf.tensor2d(terms), tf.tensor1d([1])])[1]!,
      );
      expect([...(await device().read(dgate))]).toEqual([499 * 0.5]);
      dgate.dispose();
    });
  }
});

test('is refused when it is more than one number', () => {
  expect(() => applyGate(tf.ones([2, 3]), tf.ones([3]))).toThrow(RangeError);
});
