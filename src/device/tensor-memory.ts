import * as tf from '@tensorflow/tfjs';
import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/**
 * Tensors that are filled piece by piece. `tf.tensor` takes all values at once, and on WebGPU keeps them in the heap until the
 * first program reads them: with that, a model of two gigabytes is two gigabytes of heap first.
 */
export type Numbers = Float32Array | Int32Array;

/** WebGPU copies what is written into memory of its own until the queue has taken it; this much may wait there. */
const MOST_WAITING_BYTES = 32 * 1024 * 1024;
/** Written since the last fence. */
let waitingBytes = 0;
/** Behind everything that was written before. */
let fence: { queue: GPUQueue; passed: Promise<void> } | null = null;

/** A tensor on the current backend, its values undefined until {@link writeTensor} has written every one. */
export function allocateTensor<R extends tf.Rank>(shape: tf.ShapeMap[R], dtype: 'float32' | 'int32'): tf.Tensor<R> {
  const backend = tf.backend();
  if (tf.getBackend() === 'cpu') {
    const values = new (dtype === 'int32' ? Int32Array : Float32Array)(tf.util.sizeFromShape(shape));
    return tf.tensor(values, shape, dtype);
  }
  // Both take null for "no values yet", which the common interface does not say.
  const dataId = (backend as BackendWasm).write(null as unknown as Numbers, shape, dtype);
  if (tf.getBackend() === 'webgpu') {
    const gpu = backend as WebGPUBackend;
    gpu.uploadToGPU(dataId);
    // The buffer may come from the pool, where commands that are not submitted yet still mean its old content.
    submitPending(gpu);
  }
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, backend) as tf.Tensor<R>;
}

/** Writes values behind the first `at` elements of a tensor from {@link allocateTensor}. */
export function writeTensor(tensor: tf.Tensor, at: number, values: Numbers): void {
  const memory = hostMemory(tensor);
  if (memory) {
    memory.set(values, at);
    return;
  }
  const backend = tf.backend() as WebGPUBackend;
  const { resource } = backend.tensorMap.get(tensor.dataId);
  backend.queue.writeBuffer(resource as GPUBuffer, at * 4, values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  waitingBytes += values.byteLength;
}

/** The values of a tensor where they lie, valid until the next allocation; null on WebGPU. */
export function hostMemory(tensor: tf.Tensor): Numbers | null {
  switch (tf.getBackend()) {
    case 'wasm':
      return (tf.backend() as BackendWasm).typedArrayFromHeap(tensor) as Numbers;
    case 'cpu':
      return (tf.backend() as MathBackendCPU).data.get(tensor.dataId).values as Numbers;
    default:
      return null;
  }
}

/** To be awaited between writes: keeps what waits to reach the device bounded, with one half on its way beside the next. */
export async function settleWrites(): Promise<void> {
  if (waitingBytes < MOST_WAITING_BYTES / 2) return;
  waitingBytes = 0;
  const { queue } = tf.backend() as WebGPUBackend;
  const before = fence;
  fence = { queue, passed: queue.onSubmittedWorkDone() };
  // A lost device is noticed by whoever checks it.
  fence.passed.catch(() => undefined);
  // Another device's fence may never be passed any more.
  if (before?.queue === queue) await before.passed;
}

/** The most bytes that one tensor can have: tfjs binds whole buffers, and a WebGPU device only so much at once. */
export function largestTensorBytes(): number {
  if (tf.getBackend() !== 'webgpu') return Infinity;
  const { maxBufferSize, maxStorageBufferBindingSize } = (tf.backend() as WebGPUBackend).device.limits;
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/** Bytes that the backend holds on the device: of all tensors, and on WebGPU of the buffers that wait in its pool as well. */
export function deviceBytes(): number {
  if (tf.getBackend() !== 'webgpu') return tf.memory().numBytes;
  return (tf.backend() as WebGPUBackend).memory().numBytesAllocatedInGPU;
}

/** Gives the buffers in the WebGPU backend's pool back; it never does so itself. */
export function releaseUnused(): void {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  // Buffers of disposed tensors come back to the pool when the commands that read them are submitted.
  submitPending(backend);
  const pool = backend.bufferManager as unknown as {
    freeBuffers: Map<string, GPUBuffer[]>;
    numFreeBuffers: number;
    numBytesAllocated: number;
  };
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      pool.numFreeBuffers--;
      pool.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

/** Submits what tfjs has encoded so far, so that work of others stands behind it. */
export function submitPending(backend: WebGPUBackend): void {
  const state = backend as unknown as { commandEncoder: GPUCommandEncoder | null; endComputePassEncoder(): void };
  if (!state.commandEncoder) return;
  state.endComputePassEncoder();
  backend.submitQueue();
}
