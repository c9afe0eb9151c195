import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { rmsNormProgram } from './program.ts';
import { inverseRms, rmsNormReference } from './reference.ts';

type Inputs = { x: tf.Tensor2D; weight: tf.Tensor1D };

const run = defineOp<Inputs, { eps: number }>({
  name: 'NvlmRmsNorm',
  required: ['x', 'weight'],
  reference: ({ x, weight }, { eps }) => rmsNormReference(x, weight, eps),
  program: ({ x, weight }, { eps }) => rmsNormProgram(x, weight, eps),
  gradient: {
    save: ['x', 'weight'],
    of: (dy, { x, weight }, { eps }) => ({
      // With r the inverse RMS and n = x·r: dx = r·(g − n·mean(g·n)), g = dy·weight.
      x: () =>
        tf.tidy(() => {
          const r = inverseRms(x, eps);
          const n = tf.mul(x, r);
          const g = tf.mul(dy, weight);
          return tf.mul(r, tf.sub(g, tf.mul(n, tf.mean(tf.mul(g, n), 1, true))));
        }),
      weight: () => tf.tidy(() => tf.sum(tf.mul(dy, tf.mul(x, inverseRms(x, eps))), 0)),
    }),
  },
});

/**
 * Root-mean-square normalisation of each row (Zhang & Sennrich 2019; HF `Qwen2RMSNorm`, computed in f32).
 *
 * @param x f32 [R, C]
 * @param weight f32 [C]
 * @param eps added to the mean square
 * @returns f32 [R, C]; gradients to x and weight
 * @throws RangeError when shapes disagree
 */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  checkShape('rmsNorm', 'weight', weight, [x.shape[1]]);
  return run({ x, weight }, { eps }) as tf.Tensor2D;
}
