import * as tf from '@tensorflow/tfjs';

import { defineOp } from '../define-op.ts';
import { geluReference, normalDistribution } from './reference.ts';

type Inputs = { x: tf.Tensor2D };

const run = defineOp<Inputs, object>({
  name: 'NvlmGelu',
  required: ['x'],
  reference: ({ x }) => geluReference(x),
  program: ({ x }) => geluReference(x),
  gradient: {
    save: ['x'],
    of: (dy, { x }) => ({
      // Φ(x) + x·φ(x), φ the normal density.
      x: () =>
        tf.tidy(() => {
          const density = tf.mul(1 / Math.sqrt(2 * Math.PI), tf.exp(tf.mul(-0.5, tf.square(x))));
          return tf.mul(dy, tf.add(normalDistribution(x), tf.mul(x, density)));
        }),
    }),
  },
});

/**
 * Exact GELU, x · Φ(x) (Hendrycks & Gimpel 2016; PyTorch `GELU()`), not the tanh form.
 *
 * @param x f32 [R, C]
 * @returns f32 [R, C]; gradient to x
 */
export function gelu(x: tf.Tensor2D): tf.Tensor2D {
  return run({ x }, {}) as tf.Tensor2D;
}
