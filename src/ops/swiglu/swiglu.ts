import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { swigluReference } from './reference.ts';

type Inputs = { gate: tf.Tensor2D; up: tf.Tensor2D };

const run = defineOp<Inputs, object>({
  name: 'NvlmSwiglu',
  required: ['gate', 'up'],
  reference: ({ gate, up }) => swigluReference(gate, up),
  program: ({ gate, up }) => swigluReference(gate, up),
  gradient: {
    save: ['gate', 'up'],
    of: (dy, { gate, up }) => ({
      // silu'(g) = s·(1 + g·(1 − s)), s = sigmoid(g).
      gate: () =>
        tf.tidy(() => {
          const s = tf.sigmoid(gate);
          return tf.mul(tf.mul(dy, up), tf.mul(s, tf.add(1, tf.mul(gate, tf.sub(1, s)))));
        }),
      up: () => tf.tidy(() => tf.mul(dy, tf.mul(gate, tf.sigmoid(gate)))),
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
