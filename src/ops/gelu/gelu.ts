import * as tf from '@tensorflow/tfjs';

import { defineOp } from '../define-op.ts';
import { runKernel } from '../wasm-kernel.ts';
import { geluGradientProgram, geluProgram, geluTanhGradientProgram, geluTanhProgram } from './program.ts';
import { geluGradientReference, geluReference, geluTanhGradientReference, geluTanhReference } from './reference.ts';

type Inputs = { x: tf.Tensor2D };
/** `tanh`: the approximation that PyTorch calls so and configs call `gelu_pytorch_tanh`. */
type Form = { tanh: boolean };

const runGradient = defineOp<Inputs & { dy: tf.Tensor2D }, Form>({
  name: 'NvlmGeluGradient',
  required: ['dy', 'x'],
  reference: ({ dy, x }, { tanh }) => (tanh ? geluTanhGradientReference(dy, x) : geluGradientReference(dy, x)),
  program: ({ dy, x }, { tanh }) => (tanh ? geluTanhGradientProgram(dy, x) : geluGradientProgram(dy, x)),
  kernel: ({ dy, x }, { tanh }) =>
    runKernel(x.shape, (run, dx, at) => (tanh ? run.geluTanhGradient : run.geluGradient)(at(dy), at(x), dx, x.size)),
});

const run = defineOp<Inputs, Form>({
  name: 'NvlmGelu',
  required: ['x'],
  reference: ({ x }, { tanh }) => (tanh ? geluTanhReference(x) : geluReference(x)),
  program: ({ x }, { tanh }) => (tanh ? geluTanhProgram(x) : geluProgram(x)),
  kernel: ({ x }, { tanh }) => runKernel(x.shape, (run, y, at) => (tanh ? run.geluTanh : run.gelu)(at(x), y, x.size)),
  gradient: {
    save: ['x'],
    of: (dy, { x }, form) => ({ x: () => runGradient({ dy: dy as tf.Tensor2D, x }, form) }),
  },
});

/**
 * Exact GELU, x · Φ(x) (Hendrycks & Gimpel 2016; PyTorch `GELU()`), not the tanh form.
 *
 * @param x f32 [R, C]
 * @returns f32 [R, C]; gradient to x
 */
export function gelu(x: tf.Tensor2D): tf.Tensor2D {
  return run({ x }, { tanh: false }) as tf.Tensor2D;
}

/**
 * GELU by tanh, x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) (PyTorch `GELU(approximate='tanh')`), which SigLIP was trained with.
 *
 * @param x f32 [R, C]
 * @returns f32 [R, C]; gradient to x
 */
export function geluTanh(x: tf.Tensor2D): tf.Tensor2D {
  return run({ x }, { tanh: true }) as tf.Tensor2D;
}
