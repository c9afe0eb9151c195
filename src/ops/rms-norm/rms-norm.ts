import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { runKernel } from '../wasm-kernel.ts';
import { rmsNormProgram } from './program.ts';
import { rmsNormGradientReference, rmsNormReference, rmsNormWeightGradientReference } from './reference.ts';

type Inputs = { x: tf.Tensor2D; weight: tf.Tensor1D };
type GradientInputs = Inputs & { dy: tf.Tensor2D };

const runGradient = defineOp<GradientInputs, { eps: number }>({
  name: 'NvlmRmsNormGradient',
  required: ['dy', 'x', 'weight'],
  reference: ({ dy, x, weight }, { eps }) => rmsNormGradientReference(dy, x, weight, eps),
  kernel: ({ dy, x, weight }, { eps }) => {
    const [rows, width] = x.shape;
    return runKernel(x.shape, (run, dx, at) => run.rmsNormGradient(at(dy), at(x), at(weight), dx, 0, rows, width, eps));
  },
});

const runWeightGradient = defineOp<Omit<GradientInputs, 'weight'>, { eps: number }>({
  name: 'NvlmRmsNormWeightGradient',
  required: ['dy', 'x'],
  reference: ({ dy, x }, { eps }) => rmsNormWeightGradientReference(dy, x, eps),
  kernel: ({ dy, x }, { eps }) => {
    const [rows, width] = x.shape;
    return runKernel([width], (run, dWeight, at) => run.rmsNormGradient(at(dy), at(x), 0, 0, dWeight, rows, width, eps));
  },
});

const run = defineOp<Inputs, { eps: number }>({
  name: 'NvlmRmsNorm',
  required: ['x', 'weight'],
  reference: ({ x, weight }, { eps }) => rmsNormReference(x, weight, eps),
  program: ({ x, weight }, { eps }) => rmsNormProgram(x, weight, eps),
  kernel: ({ x, weight }, { eps }) => {
    const [rows, width] = x.shape;
    return runKernel(x.shape, (run, y, at) => run.rmsNorm(at(x), at(weight), y, rows, width, eps));
  },
  gradient: {
    save: ['x', 'weight'],
    of: (dy, { x, weight }, { eps }) => ({
      x: () => runGradient({ dy: dy as tf.Tensor2D, x, weight }, { eps }),
      weight: () => runWeightGradient({ dy: dy as tf.Tensor2D, x }, { eps }),
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
