import * as tf from '@tensorflow/tfjs';

import { attention } from './attention/attention.ts';
import { type AttentionSizes, attendReference, maskVisibility } from './attention/reference.ts';
import { attentionSizes } from './attention/sizes.ts';
import { cacheWrite } from './cache-write/cache-write.ts';
import { cacheWriteReference } from './cache-write/reference.ts';
import { crossAttention } from './cross-attention/cross-attention.ts';
import { tileVisibility } from './cross-attention/reference.ts';
import { floats, type HostTensor, integers, type OpCase, randomIntegers } from './op-case.ts';

interface AttentionCase extends AttentionSizes {
  name: string;
  causal: boolean;
  starts?: number[];
  /** Compare gradients too (default true); decode needs none. */
  gradient?: boolean;
  /** Key s of entry b is visible. */
  mask?: (b: number, s: number) => boolean;
}

function heads({ batch, rows, keys, heads, kvHeads, dim }: Omit<AttentionCase, 'name' | 'causal'>): Record<string, HostTensor> {
  return {
    q: floats([batch * rows, heads * dim], 13, 2),
    k: floats([batch, keys, kvHeads * dim], 14, 2),
    v: floats([batch, keys, kvHeads * dim], 15),
  };
}

export function attentionCase(sizes: AttentionCase): OpCase {
  const { name, batch, keys, causal, starts, mask } = sizes;
  const options = { heads: sizes.heads, kvHeads: sizes.kvHeads };
  return {
    op: 'attention',
    case: name,
    bound: 2e-5,
    inputs: () => ({
      ...heads(sizes),
      ...(starts && { starts: integers([batch], starts) }),
      ...(mask && {
        keyMask: integers(
          [batch, keys],
          Array.from({ length: batch * keys }, (_, i) => Number(mask(Math.floor(i / keys), i % keys))),
        ),
      }),
    }),
    differentiable: sizes.gradient === false ? [] : ['q', 'k', 'v'],
    run: ({ q, k, v, starts, keyMask }) =>
      attention(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, {
        ...options,
        causal,
        starts: (starts as tf.Tensor1D | undefined) ?? null,
        keyMask: (keyMask as tf.Tensor2D | undefined) ?? null,
      }),
    reference: ({ q, k, v, starts, keyMask }) => {
      const full = attentionSizes('attention', q!, k!, v!, options);
      const visible = maskVisibility(full, causal, starts as tf.Tensor1D | undefined, keyMask as tf.Tensor2D | undefined);
      return attendReference(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, full, visible);
    },
  };
}

export function crossAttentionCase(sizes: Omit<AttentionCase, 'causal'> & { tiles: number }): OpCase {
  const { name, batch, rows, keys, tiles } = sizes;
  const options = { heads: sizes.heads, kvHeads: sizes.kvHeads };
  return {
    op: 'crossAttention',
    case: name,
    bound: 2e-5,
    inputs: () => {
      const rowTiles = randomIntegers([batch * rows, tiles], 16, 0, 2);
      // A row before the image: it sees nothing.
      rowTiles.values.fill(0, 0, tiles);
      return { ...heads(sizes), rowTiles, keyTiles: randomIntegers([batch, keys], 17, -1, tiles) };
    },
    differentiable: sizes.gradient === false ? [] : ['q', 'k', 'v'],
    run: ({ q, k, v, rowTiles, keyTiles }) =>
      crossAttention(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, {
        ...options,
        rowTiles: rowTiles as tf.Tensor2D,
        keyTiles: keyTiles as tf.Tensor2D,
      }),
    reference: ({ q, k, v, rowTiles, keyTiles }) => {
      const full = attentionSizes('crossAttention', q!, k!, v!, options);
      const visible = tileVisibility(full, rowTiles as tf.Tensor2D, keyTiles as tf.Tensor2D);
      return attendReference(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, full, visible);
    },
  };
}

export function cacheWriteCase(batch: number, rows: number, width: number, starts: number[]): OpCase {
  // As long as the result off WebGPU, so that all backends return the same shape.
  const capacity = Math.max(...starts) + rows;
  return {
    op: 'cacheWrite',
    case: `${rows} rows of ${width} at ${starts}`,
    bound: 0,
    inputs: () => {
      const cache = floats([batch, capacity, width], 24);
      // Off WebGPU what lies behind the new rows is zeros, not the old contents.
      starts.forEach((start, b) => cache.values.fill(0, (b * capacity + start + rows) * width, (b + 1) * capacity * width));
      return { cache, rows: floats([batch, rows, width], 25), starts: integers([batch], starts) };
    },
    differentiable: [],
    run: ({ cache, rows, starts: onDevice }) => cacheWrite(cache as tf.Tensor3D, rows as tf.Tensor3D, onDevice as tf.Tensor1D, starts),
    reference: ({ cache, rows }) => cacheWriteReference(cache as tf.Tensor3D, rows as tf.Tensor3D, starts),
  };
}
