import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { rowLossesGradientProgram, rowLossesProgram } from './program.ts';
import { rowLossesGradientReference, rowLossesReference } from './reference.ts';

type Inputs = { logits: tf.Tensor2D; labels: tf.Tensor1D };
type GradientInputs = Inputs & { dy: tf.Tensor1D };

const runGradient = defineOp<GradientInputs, object>({
  name: 'NvlmCrossEntropyGradient',
  required: ['logits', 'labels', 'dy'],
  reference: ({ logits, labels, dy }) => rowLossesGradientReference(logits, labels, dy),
  program: ({ logits, labels, dy }) => rowLossesGradientProgram(logits, labels, dy),
});

const run = defineOp<Inputs, object>({
  name: 'NvlmCrossEntropy',
  required: ['logits', 'labels'],
  reference: ({ logits, labels }) => rowLossesReference(logits, labels),
  program: ({ logits, labels }) => rowLossesProgram(logits, labels),
  gradient: {
    save: ['logits', 'labels'],
    of: (dy, { logits, labels }) => ({ logits: () => runGradient({ logits, labels, dy: dy as tf.Tensor1D }, {}) }),
  },
});

export interface CrossEntropy {
  /** Sum over the labelled rows (divide by their number for the mean); scalar. */
  loss: tf.Scalar;
  /** Loss of each row, 0 where it has no label; [R]. */
  rowLosses: tf.Tensor1D;
}

/**
 * Cross-entropy of next-token logits against labels, by the log-sum-exp of the shifted row, so large logits do not
 * overflow.
 *
 * @param logits f32 [R, V]
 * @param labels i32 [R], each in [0, V) or −100: not in the loss
 * @returns see {@link CrossEntropy}; gradient softmax − onehot to logits. The caller disposes both (or runs inside a
 * tidy).
 * @throws RangeError when shapes disagree
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): CrossEntropy {
  checkShape('crossEntropy', 'labels', labels, [logits.shape[0]]);
  const rowLosses = run({ logits, labels }, {}) as tf.Tensor1D;
  return { loss: tf.sum(rowLosses), rowLosses };
}
