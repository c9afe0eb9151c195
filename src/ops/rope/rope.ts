import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { ropeKernel } from './kernel.ts';
import { ropeProgram } from './program.ts';
import { ropeReference } from './reference.ts';

type Inputs = { x: tf.Tensor2D; positions: tf.Tensor1D; inverseFrequencies: tf.Tensor1D };
type Attrs = { heads: number; direction: 1 | -1 };

const run: (inputs: Inputs, attrs: Attrs) => tf.Tensor = defineOp<Inputs, Attrs>({
  name: 'NvlmRope',
  required: ['x', 'positions', 'inverseFrequencies'],
  reference: ({ x, positions, inverseFrequencies }, { heads, direction }) =>
    ropeReference(x, positions, inverseFrequencies, heads, direction),
  program: ({ x, positions, inverseFrequencies }, { heads, direction }) => ropeProgram(x, positions, inverseFrequencies, heads, direction),
  kernel: ({ x, positions, inverseFrequencies }, { heads, direction }) => ropeKernel(x, positions, inverseFrequencies, heads, direction),
  gradient: {
    save: ['positions', 'inverseFrequencies'],
    // A rotation's transpose is the rotation back.
    of: (dy, { positions, inverseFrequencies }, { heads, direction }) => ({
      x: () => run({ x: dy as tf.Tensor2D, positions, inverseFrequencies }, { heads, direction: direction === 1 ? -1 : 1 }),
    }),
  },
});

/**
 * Rotary position embedding in Hugging Face's "rotate half" form: in each head, the pair (i, i + dim/2) turns by
 * positions[r] · inverseFrequencies[i] (Su et al. 2021; HF `apply_rotary_pos_emb`).
 *
 * @param x f32 [R, heads · dim], dim even
 * @param positions i32 [R], position of each row in its sequence
 * @param inverseFrequencies f32 [dim / 2], usually base^(−2i/dim)
 * @returns f32 [R, heads · dim]; gradient to x
 * @throws RangeError when shapes disagree
 */
export function rope(x: tf.Tensor2D, positions: tf.Tensor1D, inverseFrequencies: tf.Tensor1D, heads: number): tf.Tensor2D {
  checkShape('rope', 'x', x, [positions.shape[0], heads * 2 * inverseFrequencies.shape[0]]);
  return run({ x, positions, inverseFrequencies }, { heads, direction: 1 }) as tf.Tensor2D;
}
