import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../../tests/support/op-cases.ts';
import { floats } from '../op-case.ts';
import { adamW } from './adamw.ts';

const SHAPE = [7, 37];

/** AdamW in double precision, element by element. */
function expected(value: Float32Array, gradients: Float32Array[], decay: number, eps: number): Float64Array {
  const [w, m, v] = [Float64Array.from(value), new Float64Array(value.length), new Float64Array(value.length)];
  gradients.forEach((gradient, index) => {
    for (let i = 0; i < w.length; i++) {
      const g = gradient[i]! * 0.5;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.95 * v[i]! + 0.05 * g * g;
      const mean = m[i]! / (1 - 0.9 ** (index + 1));
      const square = v[i]! / (1 - 0.95 ** (index + 1));
      w[i] = w[i]! - 0.01 * decay * w[i]! - (0.01 * mean) / (Math.sqrt(square) + eps);
    }
  });
  return w;
}

forEachBackend((_, device) => {
  test.each([
    [0, 1e-8],
    // Large enough to show where it is added.
    [0.1, 0.01],
  ])('three steps equal the formula, weight decay %f, epsilon %f', async (weightDecay, eps) => {
    const before = tf.memory().numTensors;
    const start = floats(SHAPE, 1).values as Float32Array;
    const gradients = [2, 3, 4].map((seed) => floats(SHAPE, seed).values as Float32Array);
    const variable = (values: tf.Tensor) => tf.variable(values);
    const tensors = tf.tidy(() => ({
      value: variable(tf.tensor(start, SHAPE)),
      first: variable(tf.zeros(SHAPE)),
      second: variable(tf.zeros(SHAPE)),
    }));
    for (const [index, values] of gradients.entries()) {
      const gradient = tf.tensor(values, SHAPE);
      const step = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, eps, gradientScale: 0.5 };
      adamW(tensors, gradient, { ...step, weightDecay, count: index + 1 });
      gradient.dispose();
      // Read between the steps, or a stale host copy would not show.
      await device().read(tensors.value);
    }
    const values = await device().read(tensors.value);
    const want = expected(start, gradients, weightDecay, eps);
    values.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThan(2e-6));
    tf.dispose([tensors.value, tensors.first, tensors.second]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('refuses tensors of another size', () => {
    tf.tidy(() => {
      const make = (size: number) => tf.variable(tf.zeros([size]));
      const tensors = { value: make(3), first: make(3), second: make(2) };
      const step = { learningRate: 1, beta1: 0, beta2: 0, eps: 1, weightDecay: 0, count: 1, gradientScale: 1 };
      expect(() => adamW(tensors, tf.zeros([3]), step)).toThrow('second has 2 elements');
      tf.dispose([tensors.value, tensors.first, tensors.second]);
    });
  });
});
