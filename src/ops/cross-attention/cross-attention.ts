import * as tf from '@tensorflow/tfjs';

import { wasmKernels } from '../../device/wasm-kernels.ts';
import { attendGradientKernel, attendKernel } from '../attention/kernel.ts';
import { attendGradientPrograms, attendProgram } from '../attention/program.ts';
import { attendGradientReference, attendReference } from '../attention/reference.ts';
import { attentionSizes } from '../attention/sizes.ts';
import { checkShape, defineOp } from '../define-op.ts';
import { WEBGPU_BACKEND } from '../webgpu-program.ts';
import { tileVisibility } from './reference.ts';

type Inputs = { q: tf.Tensor2D; k: tf.Tensor3D; v: tf.Tensor3D; rowTiles: tf.Tensor2D; keyTiles: tf.Tensor2D };
type Attrs = { heads: number; kvHeads: number };

const run = defineOp<Inputs, Attrs>({
  name: 'NvlmCrossAttention',
  required: ['q', 'k', 'v', 'rowTiles', 'keyTiles'],
  reference: ({ q, k, v, rowTiles, keyTiles }, attrs) => {
    const sizes = attentionSizes('crossAttention', q, k, v, attrs);
    return attendReference(q, k, v, sizes, tileVisibility(sizes, rowTiles, keyTiles));
  },
  program: ({ q, k, v, rowTiles, keyTiles }, attrs) => {
    const sizes = attentionSizes('crossAttention', q, k, v, attrs);
    return attendProgram(q, k, v, sizes, { causal: false, rowTiles, keyTiles });
  },
  kernel: ({ q, k, v, rowTiles, keyTiles }, attrs) => {
    const sizes = attentionSizes('crossAttention', q, k, v, attrs);
    return attendKernel(q, k, v, sizes, { causal: false, rowTiles, keyTiles });
  },
  gradient: {
    save: ['q', 'k', 'v', 'rowTiles', 'keyTiles'],
    saveOutput: true,
    of: (dy, { q, k, v, rowTiles, keyTiles }, attrs, output) => {
      const sizes = attentionSizes('crossAttention', q, k, v, attrs);
      if (tf.getBackend() === WEBGPU_BACKEND) {
        return attendGradientPrograms({ dy, output: output!, q, k, v }, sizes, { causal: false, rowTiles, keyTiles });
      }
      if (wasmKernels()) return attendGradientKernel({ dy, q, k, v }, sizes, { causal: false, rowTiles, keyTiles });
      const gradients = tf.tidy(() =>
        attendGradientReference(dy as tf.Tensor2D, q, k, v, sizes, tileVisibility(sizes, rowTiles, keyTiles)),
      );
      return { q: () => gradients.q, k: () => gradients.k, v: () => gradients.v };
    },
  },
});

export interface CrossAttentionOptions {
  /** H, query heads */
  heads: number;
  /** Hkv, key and value heads, a divisor of H */
  kvHeads: number;
  /** i32 [B·T, N]: 1 = this row sees tile n */
  rowTiles: tf.Tensor2D;
  /** i32 [B, S]: tile of each key, −1 = padding */
  keyTiles: tf.Tensor2D;
}

/**
 * Attention of text rows over image tokens with a mask by tile, the inside of gated cross-attention (NVLM paper §4.3):
 * row r of entry b sees key s iff keyTiles[b, s] ≥ 0 and rowTiles[r, keyTiles[b, s]] = 1. No causal order, scale 1/√D.
 * A row that sees nothing gives exact zeros, in gradients as well.
 *
 * @param q f32 [B·T, H·D], D ≤ 256
 * @param k f32 [B, S, Hkv·D]
 * @param v f32 [B, S, Hkv·D]
 * @returns f32 [B·T, H·D]; gradients to q, k and v, computed together
 * @throws RangeError when shapes disagree
 */
export function crossAttention(q: tf.Tensor2D, k: tf.Tensor3D, v: tf.Tensor3D, options: CrossAttentionOptions): tf.Tensor2D {
  const { heads, kvHeads, rowTiles, keyTiles } = options;
  const { batch, keys } = attentionSizes('crossAttention', q, k, v, options);
  checkShape('crossAttention', 'rowTiles', rowTiles, [q.shape[0], null]);
  checkShape('crossAttention', 'keyTiles', keyTiles, [batch, keys]);
  if (keys === 0 || rowTiles.shape[1] === 0) return tf.zeros([q.shape[0], q.shape[1]]);
  return run({ q, k, v, rowTiles, keyTiles }, { heads, kvHeads }) as tf.Tensor2D;
}
