import * as tf from '@tensorflow/tfjs';
import { wasmModule } from './wasm-memory.ts';

/** Beyond it wasm's memory does not grow. */
const ADDRESSABLE_BYTES = 2 ** 32;

interface WasmTensor {
  memoryOffset: number;
}

/**
 * Leaves of a matrix only the copy that the backend multiplies with, so that it is held once.
 *
 * At its first product with a matrix [in, out] on the right, wasm's XNNPACK packs it into memory of its own, which it keeps
 * until the tensor is disposed, and looks at the tensor no more. Here that product is made at once and the tensor's own memory
 * given back. From then on the tensor may be the right side of `matMul`, untransposed and of rank 2, or be disposed, and
 * nothing else: its values are gone, and whoever reads them from the host finds none.
 *
 * @throws NvlmError `out-of-memory`
 * @returns whether it was done; other backends multiply with the tensor itself
 */
export function keepPackedOnly(matrix: tf.Tensor2D): boolean {
  if (tf.getBackend() !== 'wasm') return false;
  const wasm = wasmModule();
  const bytes = 4 * matrix.size;
  // XNNPACK would go on without the copy that it found no memory for, and multiply with nothing.
  if (wasm.HEAPU8.length + bytes > ADDRESSABLE_BYTES) wasm._free(wasm._malloc(bytes));
  tf.tidy(() => void tf.matMul(tf.zeros([1, matrix.shape[0]]), matrix));
  const backend = tf.backend() as unknown as { dataIdMap: { get(id: object): WasmTensor } };
  const held = backend.dataIdMap.get(matrix.dataId);
  wasm._free(held.memoryOffset);
  // Beyond every memory for whoever would read, and nothing to whoever frees it, when the tensor is disposed.
  held.memoryOffset = Infinity;
  return true;
}
