import * as tf from '@tensorflow/tfjs';

import { columnSums } from '../column-sums.ts';
import { checkShape, defineOp } from '../define-op.ts';

type Inputs = { x: tf.Tensor2D; gate: tf.Tensor1D };

const run = defineOp<Inputs, object>({
  name: 'NvlmGate',
  required: ['x', 'gate'],
  reference: ({ x, gate }) => tf.mul(x, gate),
  gradient: {
    save: ['x', 'gate'],
    of: (dy, { x, gate }) => ({
      x: () => tf.mul(dy, gate),
      // One sum over all rows and columns, whose terms cancel as a bias's do.
      gate: () => tf.tidy(() => columnSums(tf.mul(dy, x).reshape([-1, 1]))),
    }),
  },
});

/**
 * x · gate, one number for all: what gated cross-attention lets through (docs/facts.md, Gated cross-attention).
 *
 * @param x f32 [R, C]
 * @param gate f32 [1], after tanh
 * @returns f32 [R, C]; gradients to x and gate
 * @throws RangeError when the gate is more than one number
 */
export function applyGate(x: tf.Tensor2D, gate: tf.Tensor1D): tf.Tensor2D {
  checkShape('applyGate', 'gate', gate, [1]);
  return run({ x, gate }, {}) as tf.Tensor2D;
}
