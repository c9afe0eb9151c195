import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { runKernel } from '../wasm-kernel.ts';
import { layerNormProgram } from './program.ts';
import { layerNormReference, standardise } from './reference.ts';

type Inputs = { x: tf.Tensor2D; weight: tf.Tensor1D; bias: tf.Tensor1D };

const run = defineOp<Inputs, { eps: number }>({
  name: 'NvlmLayerNorm',
  required: ['x', 'weight', 'bias'],
  reference: ({ x, weight, bias }, { eps }) => layerNormReference(x, weight, bias, eps),
  program: ({ x, weight, bias }, { eps }) => layerNormProgram(x, weight, bias, eps),
  kernel: ({ x, weight, bias }, { eps }) => {
    const [rows, width] = x.shape;
    return runKernel(x.shape, (run, y, at) => run.layerNorm(at(x), at(weight), at(bias), y, rows, width, eps));
  },
  gradient: {
    save: ['x', 'weight'],
    of: (dy, { x, weight }, { eps }) => ({
      // With n the normalised row and r its inverse deviation: dx = r·(g − mean(g) − n·mean(g·n)), g = dy·weight.
      x: () =>
        tf.tidy(() => {
          const { normalised, inverseDeviation } = standardise(x, eps);
          const g = tf.mul(dy, weight);
          const projected = tf.mul(normalised, tf.mean(tf.mul(g, normalised), 1, true));
          return tf.mul(inverseDeviation, tf.sub(tf.sub(g, tf.mean(g, 1, true)), projected));
        }),
      weight: () => tf.tidy(() => tf.sum(tf.mul(dy, standardise(x, eps).normalised), 0)),
      bias: () => tf.sum(dy, 0),
    }),
  },
});

/**
 * Layer normalisation of each row (Ba et al. 2016; PyTorch `LayerNorm`, biased variance).
 *
 * @param x f32 [R, C]
 * @param weight f32 [C]
 * @param bias f32 [C]
 * @param eps added to the variance
 * @returns f32 [R, C]; gradients to x, weight and bias
 * @throws RangeError when shapes disagree
 */
export function layerNorm(x: tf.Tensor2D, weight: tf.Tensor1D, bias: tf.Tensor1D, eps: number): tf.Tensor2D {
  checkShape('layerNorm', 'weight', weight, [x.shape[1]]);
  checkShape('layerNorm', 'bias', bias, [x.shape[1]]);
  return run({ x, weight, bias }, { eps }) as tf.Tensor2D;
}
