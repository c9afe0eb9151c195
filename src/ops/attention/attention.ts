import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { WEBGPU_BACKEND } from '../webgpu-program.ts';
import { wasmKernels } from '../../device/wasm-kernels.ts';
import { attendGradientKernel, attendKernel } from './kernel.ts';
import { attendGradientPrograms, attendProgram } from './program.ts';
import { attendGradientReference, attendReference, maskVisibility } from './reference.ts';
import { attentionSizes } from './sizes.ts';

type Inputs = { q: tf.Tensor2D; k: tf.Tensor3D; v: tf.Tensor3D; starts?: tf.Tensor1D; keyMask?: tf.Tensor2D };
type Attrs = { heads: number; kvHeads: number; causal: boolean };

const run = defineOp<Inputs, Attrs>({
  name: 'NvlmAttention',
  required: ['q', 'k', 'v'],
  optional: ['starts', 'keyMask'],
  reference: ({ q, k, v, starts, keyMask }, attrs) => {
    const sizes = attentionSizes('attention', q, k, v, attrs);
    return attendReference(q, k, v, sizes, maskVisibility(sizes, attrs.causal, starts, keyMask));
  },
  program: ({ q, k, v, starts, keyMask }, attrs) => {
    const sizes = attentionSizes('attention', q, k, v, attrs);
    return attendProgram(q, k, v, sizes, { causal: attrs.causal, starts, keyMask });
  },
  kernel: ({ q, k, v, starts, keyMask }, attrs) => {
    const sizes = attentionSizes('attention', q, k, v, attrs);
    return attendKernel(q, k, v, sizes, { causal: attrs.causal, starts, keyMask });
  },
  gradient: {
    save: ['q', 'k', 'v', 'starts', 'keyMask'],
    saveOutput: true,
    of: (dy, { q, k, v, starts, keyMask }, attrs, output) => {
      const sizes = attentionSizes('attention', q, k, v, attrs);
      if (tf.getBackend() === WEBGPU_BACKEND) {
        return attendGradientPrograms({ dy, output: output!, q, k, v }, sizes, {
          causal: attrs.causal,
          starts,
          keyMask,
        });
      }
      if (wasmKernels()) return attendGradientKernel({ dy, q, k, v }, sizes, { causal: attrs.causal, starts, keyMask });
      const gradients = tf.tidy(() =>
        attendGradientReference(dy as tf.Tensor2D, q, k, v, sizes, maskVisibility(sizes, attrs.causal, starts, keyMask)),
      );
      return { q: () => gradients.q, k: () => gradients.k, v: () => gradients.v };
    },
  },
});

export interface AttentionOptions {
  /** H, query heads */
  heads: number;
  /** Hkv, key and value heads, a divisor of H; query head h reads kv head ⌊h / (H / Hkv)⌋ */
  kvHeads: number;
  causal: boolean;
  /** i32 [B]: position of each entry's first query row; null = 0 */
  starts: tf.Tensor1D | null;
  /** i32 [B, S]: 1 = visible; null = all */
  keyMask: tf.Tensor2D | null;
}

/**
 * Scaled dot-product attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023), scale 1/√D.
 *
 * Query row t of entry b stands at position starts[b] + t and, when causal, sees key s iff s ≤ starts[b] + t. S may be
 * a cache's capacity: keys beyond the valid ones do not influence the result (their contents must be finite). Rows that
 * see nothing give exact zeros, in gradients as well.
 *
 * @param q f32 [B·T, H·D], D ≤ 256
 * @param k f32 [B, S, Hkv·D]
 * @param v f32 [B, S, Hkv·D]
 * @returns f32 [B·T, H·D]; gradients to q, k and v, computed together
 * @throws RangeError when shapes disagree
 */
export function attention(q: tf.Tensor2D, k: tf.Tensor3D, v: tf.Tensor3D, options: AttentionOptions): tf.Tensor2D {
  const { heads, kvHeads, causal, starts, keyMask } = options;
  const { batch, keys } = attentionSizes('attention', q, k, v, options);
  if (starts) checkShape('attention', 'starts', starts, [batch]);
  if (keyMask) checkShape('attention', 'keyMask', keyMask, [batch, keys]);
  if (keys === 0) return tf.zeros([q.shape[0], q.shape[1]]);
  const inputs = { q, k, v, starts: (causal && starts) || undefined, keyMask: keyMask ?? undefined };
  return run(inputs, { heads, kvHeads, causal }) as tf.Tensor2D;
}
