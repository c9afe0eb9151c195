import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../../tests/support/op-cases.ts';
import { floats } from '../../ops/op-case.ts';
import { muonRule, orthogonalized } from './muon.ts';

forEachBackend((_, device) => {
  // As a linear's matrix lies on the device: 12 inputs, 20 outputs, and the other way round.
  test.each([
    [12, 20],
    [20, 12],
  ])('an update of %i × %i is as long in every direction, and longer for more outputs than inputs', async (inputs, outputs) => {
    const before = tf.memory().numTensors;
    const variable = tf.tidy(() => tf.variable(tf.zeros([inputs, outputs])));
    const mean = tf.tidy(() => tf.variable(tf.zeros([inputs, outputs])));
    const gradient = tf.tensor(floats([inputs, outputs], 3).values, [inputs, outputs]);
    const rule = muonRule({ momentum: 0.95 });
    const step = { learningRate: 0.1, weightDecay: 0, count: 1, gradientScale: 1 };
    rule.update({ variable, shape: [outputs, inputs], state: { momentum_buffer: mean } }, gradient, step);
    const factor = 0.1 * Math.sqrt(Math.max(1, outputs / inputs));
    // Singular values of the update, squared: eigenvalues of its smaller product with itself have their sum as trace.
    const gram = tf.tidy(() => {
      const update = variable.div<tf.Tensor2D>(-factor);
      return tf.matMul(update, update, inputs > outputs, inputs <= outputs);
    });
    const values = await device().read(gram);
    const trace = Array.from({ length: 12 }, (_, i) => values[13 * i]!);
    const mean2 = trace.reduce((sum, one) => sum + one, 0) / 12;
    expect(mean2).toBeGreaterThan(0.6);
    expect(mean2).toBeLessThan(1.4);
    tf.dispose([variable, mean, gradient, gram]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('equals Newton–Schulz in double precision', async () => {
    const [rows, columns] = [6, 10];
    const values = floats([rows, columns], 5).values as Float32Array;
    const result = tf.tidy(() => orthogonalized(tf.tensor2d(values, [rows, columns])));
    const got = await device().read(result);
    result.dispose();
    newtonSchulz(values, rows, columns).forEach((want, i) => expect(Math.abs(got[i]! - want)).toBeLessThan(1e-4));
  });
});

function newtonSchulz(values: Float32Array, rows: number, columns: number): Float64Array {
  const norm = Math.hypot(...values);
  let x = Float64Array.from(values, (value) => value / norm);
  for (let round = 0; round < 5; round++) {
    const gram = product(x, transposed(x, rows, columns), rows, columns, rows);
    const square = product(gram, gram, rows, rows, rows);
    const inner = gram.map((value, i) => -4.775 * value + 2.0315 * square[i]!);
    const pulled = product(inner, x, rows, rows, columns);
    x = x.map((value, i) => 3.4445 * value + pulled[i]!);
  }
  return x;
}

/** [rows, inner] × [inner, columns] */
function product(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[row * inner + k]! * b[k * columns + column]!;
    return sum;
  });
}

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: values.length }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}
