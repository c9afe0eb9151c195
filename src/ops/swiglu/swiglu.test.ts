import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { swiglu } from './swiglu.ts';

testOpCases('swiglu');

forEachBackend((_, device) => {
  test('large gates neither overflow nor turn into NaN', async () => {
    const y = tf.tidy(() => swiglu(tf.tensor2d([[-1000, -90, 90, 1000]]), tf.ones([1, 4])));
    const values = [...(await device().read(y))];
    [0, 0, 90, 1000].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
    y.dispose();
  });
});
