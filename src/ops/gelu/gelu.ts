import * as tf from '@tensorflow/tfjs';

import { defineOp } from '../define-op.ts';
import { geluGradientProgram, geluProgram } from './program.ts';
import { geluGradientReference, geluReference } from './reference.ts';

type Inputs = { x: tf.Tensor2D };

const runGradient = defineOp<Inputs & { dy: tf.Tensor2D }, object>({
  name: 'NvlmGeluGradient',
  required: ['dy', 'x'],
  reference: ({ dy, x }) => geluGradientReference(dy, x),
  program: ({ dy, x }) => geluGradientProgram(dy, x),
});

const run = defineOp<Inputs, object>({
  name: 'NvlmGelu',
  required: ['x'],
  reference: ({ x }) => geluReference(x),
  program: ({ x }) => geluProgram(x),
  gradient: {
    save: ['x'],
    of: (dy, { x }) => ({ x: () => runGradient({ dy: dy as tf.Tensor2D, x }, {}) }),
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
