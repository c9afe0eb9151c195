import * as tf from '@tensorflow/tfjs';

import { hostMemory } from '../../device/tensor-memory.ts';
import { checkShape } from '../define-op.ts';
import { WEBGPU_BACKEND } from '../webgpu-program.ts';
import { cacheWriteProgram } from './program.ts';
import { cacheWriteReference } from './reference.ts';

/** Whether {@link cacheWrite} writes into the cache itself on the current backend. */
export function writesInPlace(): boolean {
  return tf.getBackend() !== 'cpu';
}

/**
 * Puts new rows into a KV cache: rows[b, t] to cache[b, starts[b] + t]. Inference only, no gradient.
 *
 * On WebGPU and wasm the cache has its full capacity, is written in place and returned as the same object. The cpu backend has no
 * write in place: it returns a new tensor just as long as needed, and the caller disposes the old cache when another comes back.
 *
 * @param cache f32 [B, capacity, W] (on cpu: any length ≥ the starts)
 * @param rows f32 [B, T, W]
 * @param starts i32 [B], rows already in the cache
 * @param startsOnHost the same numbers, for checking bounds and for backends that need them on the host
 * @throws RangeError when shapes disagree or the rows pass the capacity
 */
export function cacheWrite(cache: tf.Tensor3D, rows: tf.Tensor3D, starts: tf.Tensor1D, startsOnHost: number[]): tf.Tensor3D {
  const [batch] = rows.shape;
  checkShape('cacheWrite', 'cache', cache, [batch, null, rows.shape[2]]);
  checkShape('cacheWrite', 'starts', starts, [batch]);
  if (startsOnHost.length !== batch) throw new RangeError(`cacheWrite: ${startsOnHost.length} starts for a batch of ${batch}`);
  const last = Math.max(...startsOnHost);
  if (Math.min(...startsOnHost) < 0 || last > cache.shape[1]) {
    throw new RangeError(`cacheWrite: starts ${startsOnHost} in a cache of ${cache.shape[1]} rows`);
  }
  if (writesInPlace()) {
    if (last + rows.shape[1] > cache.shape[1]) {
      throw new RangeError(`cacheWrite: ${rows.shape[1]} rows at ${last} in a cache of ${cache.shape[1]} rows`);
    }
    if (tf.getBackend() === WEBGPU_BACKEND) cacheWriteProgram(cache, rows, starts);
    else writeInMemory(cache, rows, startsOnHost);
    return cache;
  }
  return tf.tidy(() => cacheWriteReference(cache, rows, startsOnHost));
}

/** wasm's memory is the host's: a copy there is as good as a kernel. */
function writeInMemory(cache: tf.Tensor3D, rows: tf.Tensor3D, starts: number[]): void {
  const [, count, width] = rows.shape;
  const to = hostMemory(cache)!;
  const from = hostMemory(rows)!;
  starts.forEach((start, b) => {
    to.set(from.subarray(b * count * width, (b + 1) * count * width), (b * cache.shape[1] + start) * width);
  });
}
