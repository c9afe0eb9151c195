import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { gelu, geluTanh } from './gelu.ts';

testOpCases('gelu');
testOpCases('geluTanh');

forEachBackend((_, device) => {
  test('is the exact form, not the tanh one', async () => {
    // x · Φ(x) from a table of the normal distribution; the tanh form is off by 2e-4 at 2.
    const y = tf.tidy(() => gelu(tf.tensor2d([[-100, -3, -1, 0, 0.5, 2, 100]])));
    const values = await device().read(y);
    const expected = [0, -0.0040497, -0.1586553, 0, 0.3457312, 1.9544997, 100];
    expected.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
    y.dispose();
  });

  test('has a tanh form beside it, far out too', async () => {
    // torch.nn.functional.gelu(x, approximate='tanh')
    const y = tf.tidy(() => geluTanh(tf.tensor2d([[-100, -3, -1, 0, 0.5, 2, 100]])));
    const values = await device().read(y);
    const expected = [0, -0.0036374, -0.158808, 0, 0.345714, 1.9545977, 100];
    expected.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
    y.dispose();
  });
});
