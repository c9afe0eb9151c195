import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { runKernel } from '../wasm-kernel.ts';
import { swigluGateGradientProgram, swigluProgram } from './program.ts';
import { swigluGateGradientReference, swigluReference } from './reference.ts';

type Inputs = { gate: tf.Tensor2D; up: tf.Tensor2D };

type GateGradientInputs = Inputs & { dy: tf.Tensor2D };

const runGateGradient = defineOp<GateGradientInputs, object>({
  name: 'NvlmSwigluGateGradient',
  required: ['dy', 'gate', 'up'],
  reference: ({ dy, gate, up }) => swigluGateGradientReference(dy, gate, up),
  program: ({ dy, gate, up }) => swigluGateGradientProgram(dy, gate, up),
  kernel: ({ dy, gate, up }) => runKernel(gate.shape, (run, out, at) => run.swigluGateGradient(at(dy), at(gate), at(up), out, gate.size)),
});

const run: (inputs: Inputs, attrs: object) => tf.Tensor = defineOp<Inputs, object>({
  name: 'NvlmSwiglu',
  required: ['gate', 'up'],
  reference: ({ gate, up }) => swigluReference(gate, up),
  program: ({ gate, up }) => swigluProgram(gate, up),
  kernel: ({ gate, up }) => runKernel(gate.shape, (run, out, at) => run.swiglu(at(gate), at(up), out, gate.size)),
  gradient: {
    save: ['gate', 'up'],
    of: (dy, { gate, up }) => ({
      gate: () => runGateGradient({ dy: dy as tf.Tensor2D, gate, up }, {}),
      // The product is linear in up: the same op with dy in its place.
      up: () => run({ gate, up: dy as tf.Tensor2D }, {}),
    }),
  },
});

/**
 * silu(gate) · up, the gated unit of the decoder's feed-forward (Shazeer 2020).
 *
 * @param gate f32 [R, F]
 * @param up f32 [R, F]
 * @returns f32 [R, F]; gradients to gate and up
 * @throws RangeError when shapes disagree
 */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  checkShape('swiglu', 'up', up, gate.shape);
  return run({ gate, up }, {}) as tf.Tensor2D;
}
