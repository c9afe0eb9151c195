import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** What passed between this thread and the device. */
export interface Traffic {
  /** Programs started; off WebGPU, kernels run. */
  dispatches: number;
  /** Command buffers' hand-overs to the GPU; 0 off WebGPU. */
  submits: number;
  /** To the device's memory, from the host's. */
  bytesWritten: number;
  bytesRead: number;
}

export interface TrafficWatch {
  /** Since the watch began. */
  count(): Traffic;
  stop(): void;
}

/** Kernels that only name the same memory anew. */
const NOTHING_TO_DO = new Set(['Identity', 'Reshape']);

/**
 * Counts on the current backend by standing between it and the device: on WebGPU its queue, encoders and buffers; elsewhere tfjs's own
 * kernels and copies. Buffers made before the watch began are not seen to be read.
 */
export function watchTraffic(): TrafficWatch {
  const traffic: Traffic = { dispatches: 0, submits: 0, bytesWritten: 0, bytesRead: 0 };
  const undo = tf.getBackend() === 'webgpu' ? watchGpu(tf.backend() as WebGPUBackend, traffic) : watchKernels(traffic);
  return { count: () => ({ ...traffic }), stop: undo };
}

function watchGpu({ device, queue }: WebGPUBackend, traffic: Traffic): () => void {
  const stops = [
    wrap(queue, 'submit', (submit, ...args) => {
      traffic.submits++;
      return submit(...args);
    }),
    wrap(queue, 'writeBuffer', (write, buffer, offset, data, from = 0, size) => {
      const perElement = ArrayBuffer.isView(data) && 'BYTES_PER_ELEMENT' in data ? (data.BYTES_PER_ELEMENT as number) : 1;
      traffic.bytesWritten += size === undefined ? data.byteLength - from * perElement : size * perElement;
      return write(buffer, offset, data, from, size);
    }),
    wrap(device, 'createBuffer', (create, descriptor) => {
      const buffer = create(descriptor);
      if (descriptor.mappedAtCreation) traffic.bytesWritten += descriptor.size;
      if (descriptor.usage & GPUBufferUsage.MAP_READ) {
        wrap(buffer, 'mapAsync', (map, ...args) => {
          traffic.bytesRead += descriptor.size;
          return map(...args);
        });
      }
      return buffer;
    }),
    wrap(device, 'createCommandEncoder', (create, ...args) => {
      const encoder = create(...args);
      wrap(encoder, 'beginComputePass', (begin, ...passArgs) => {
        const pass = begin(...passArgs);
        for (const method of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'] as const) {
          wrap(pass, method, (dispatch, ...groups) => {
            traffic.dispatches++;
            return (dispatch as (...groups: unknown[]) => undefined)(...groups);
          });
        }
        return pass;
      });
      return encoder;
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

function watchKernels(traffic: Traffic): () => void {
  const stops = [
    wrap(tf.engine(), 'runKernel', (run, name, ...args) => {
      if (!NOTHING_TO_DO.has(name)) traffic.dispatches++;
      return run(name, ...args);
    }),
  ];
  if (tf.getBackend() === 'wasm') {
    const backend = tf.backend() as BackendWasm;
    stops.push(
      wrap(backend, 'move', (move, dataId, values, ...args) => {
        traffic.bytesWritten += values && 'byteLength' in values ? values.byteLength : 0;
        return move(dataId, values, ...args);
      }),
      wrap(backend, 'readSync', (read, ...args) => {
        const values = read(...args);
        traffic.bytesRead += 'byteLength' in values ? values.byteLength : 0;
        return values;
      }),
    );
  }
  return () => stops.forEach((stop) => stop());
}

/** Puts `around` in the place of a method, on the object alone. @returns what takes it away again */
function wrap<T extends object, K extends keyof T>(
  target: T,
  method: K,
  around: T[K] extends (...args: infer A) => infer R ? (original: (...args: A) => R, ...args: A) => R : never,
): () => void {
  const original = (target[method] as (...args: unknown[]) => unknown).bind(target);
  const stand = (...args: unknown[]) => (around as (...args: unknown[]) => unknown)(original, ...args);
  Object.defineProperty(target, method, { value: stand, configurable: true, writable: true });
  return () => void Reflect.deleteProperty(target, method);
}
