import * as tf from '@tensorflow/tfjs';
import type { KernelBackend } from '@tensorflow/tfjs';
import type { NvlmError } from '../errors.ts';
import { backendFailed, detailOf, deviceLost, fromThrown, wordsFor } from './device-errors.ts';
import { ladder, type WebGpuFinding } from './ladder.ts';
import { MOST_THREADS } from './thread-choice.ts';
import type { BackendChoice, BackendName, Device, DeviceInfo, DevicePlatform, WasmThreads } from './types.ts';
import { compileWasmKernels, startWasmKernels } from './wasm-kernels.ts';
import { refuseFailedAllocations, wasmModule } from './wasm-memory.ts';
import { WasmPool } from './wasm-pool.ts';
import { replaceSlice } from './wasm-slice.ts';
import { describeGpuAdapter, limitsOf, requestDevice, WebGpuWatch } from './webgpu-device.ts';

/** tfjs has one global engine, so one device is open at a time. */
let current: Device | null = null;
/** Threads that have not come up by then are done without. */
const THREADS_WAIT_MS = 3000;

/**
 * Opens the best backend of the ladder (`auto`) or the one named, and makes it tfjs's current one. A device that is still open
 * is disposed first, so this also is how to switch backends and how to recover from a lost device.
 * @throws NvlmError `no-device` when the named backend does not exist here or does not start
 */
export async function openDevice(choice: BackendChoice, platform: DevicePlatform): Promise<Device> {
  await current?.dispose();
  const needsGpu = choice === 'auto' || choice === 'webgpu';
  const found = needsGpu ? await findAdapter(choice, platform) : { absent: 'Not looked for' };
  const finding: WebGpuFinding = 'adapter' in found ? { adapter: describeGpuAdapter(found.adapter) } : found;
  const rungs = ladder(choice, finding);
  const failed: { backend: BackendName; error: unknown }[] = [];
  for (const rung of rungs) {
    const { backend } = rung;
    const reason = [rung.reason, ...failed.map((one) => wordsFor(one.backend, one.error))].join(' ');
    try {
      const opened =
        backend === 'webgpu' && 'adapter' in found
          ? await openWebGpu(found.adapter, reason)
          : backend === 'wasm'
            ? await openWasm(reason, platform)
            : await openCpu(reason);
      current = opened;
      return opened;
    } catch (error) {
      failed.push({ backend, error });
    }
  }
  throw backendFailed(choice, failed.at(-1)?.error);
}

async function findAdapter(choice: BackendChoice, platform: DevicePlatform): Promise<{ adapter: GPUAdapter } | { absent: string }> {
  const gpu = await platform.gpu({ hardwareOnly: choice === 'auto' });
  if ('absent' in gpu) return gpu;
  let adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  // Browsers hide their software GPU adapter unless it is asked for.
  if (!adapter && choice === 'webgpu') adapter = await gpu.requestAdapter({ forceFallbackAdapter: true });
  return adapter ? { adapter } : { absent: 'WebGPU has no GPU adapter here' };
}

async function openWebGpu(adapter: GPUAdapter, reason: string): Promise<Device> {
  const gpuDevice = await requestDevice(adapter);
  const watch = new WebGpuWatch(gpuDevice);
  // Only now: the module looks for navigator.gpu when it is evaluated.
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const backend = new WebGPUBackend(gpuDevice, adapter.info);
  await makeCurrent('webgpu', () => backend);

  const settle = async <T>(work: Promise<T>): Promise<T> => {
    const failed = watch.lost.then((error) => {
      throw error;
    });
    try {
      // A pending map is rejected with an empty AbortError, or never settles, when the device goes.
      const values = await Promise.race([work, failed]);
      await watch.check();
      return values;
    } catch (error) {
      await watch.check();
      throw isAbort(error) ? deviceLost('') : fromThrown(error);
    }
  };
  return makeDevice({
    info: {
      backend: 'webgpu',
      adapter: describeGpuAdapter(adapter),
      features: [...gpuDevice.features].sort(),
      limits: limitsOf(gpuDevice),
      threads: 1,
      threadsReason: '',
      reason,
    },
    lost: watch.lost,
    check: () => watch.check(),
    settle,
    memoryBytes: () => (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU,
    close: () => {
      watch.close();
      tf.removeBackend('webgpu');
      gpuDevice.destroy();
    },
  });
}

async function openWasm(reason: string, platform: DevicePlatform): Promise<Device> {
  await platform.prepareWasm();
  const { openWasmModule } = await import('./wasm-module.ts');
  const given = platform.threads();
  const wanted = 'absent' in given ? 1 : Math.min(given.most, MOST_THREADS);
  // Started here, because tfjs would say only that it did not start, and not why.
  let shared = wanted > 1;
  let threadsReason = 'absent' in given ? given.absent : '';
  const backend = await openWasmModule(platform, { shared }).catch((error: unknown) => {
    if (!shared) throw error;
    shared = false;
    threadsReason = `Memory that threads could share cannot be had here: ${detailOf(error)}`;
    return openWasmModule(platform, { shared });
  });
  await makeCurrent('wasm', () => backend);
  const wasm = wasmModule();
  refuseFailedAllocations(wasm);
  replaceSlice();
  const kernels = await compileWasmKernels({ shared });
  const pool = await startWasmKernels(wasm, kernels, (run) =>
    shared ? new WasmPool(wanted, run, { fixed: 'fixed' in given && given.fixed }) : null,
  );
  if (pool && 'start' in given) {
    await pool.start(given.start, kernels!.module, wasm.asm.memory, THREADS_WAIT_MS);
    threadsReason = pool.threads > 1 ? threadsWords(pool.threads, given) : 'Other threads did not come up, so one computes.';
  } else {
    threadsReason ||= kernels
      ? 'One thread computes: there is one core, or one was asked for.'
      : 'One thread computes: this machine has no SIMD.';
  }
  const info: DeviceInfo = {
    backend: 'wasm',
    adapter: null,
    features: kernels?.feature === 'relaxed-simd' ? ['simd', 'relaxed-simd'] : kernels ? ['simd'] : [],
    limits: {},
    threads: pool?.threads ?? 1,
    threadsReason,
    reason,
  };
  pool?.onLoss(() => {
    info.threads = 1;
    info.threadsReason = 'Other threads were lost, so one computes.';
  });
  return makeDevice({
    info,
    lost: never,
    check: async () => {},
    settle: (work) => work,
    memoryBytes: () => wasm.HEAPU8.length,
    close: () => {
      pool?.stop();
      // Tensors that outlive the module must still be disposable.
      backend.disposeData = () => true;
      tf.removeBackend('wasm');
    },
  });
}

function threadsWords(threads: number, { fixed }: WasmThreads): string {
  if (fixed) return `${threads} threads compute, as asked for.`;
  return `Up to ${threads} threads compute, each kind of work on as many as a measurement finds faster.`;
}

async function openCpu(reason: string): Promise<Device> {
  await tf.setBackend('cpu');
  // It advertises another package on its first use.
  Reflect.set(tf.backend(), 'firstUse', false);
  return makeDevice({
    info: { backend: 'cpu', adapter: null, features: [], limits: {}, threads: 1, threadsReason: '', reason },
    lost: never,
    check: async () => {},
    settle: (work) => work,
    memoryBytes: () => tf.memory().numBytes,
    close: () => {},
  });
}

/** Registers a backend under its name, in place of the one that had it, and switches to it. */
async function makeCurrent(name: BackendName, factory: () => KernelBackend | Promise<KernelBackend>): Promise<void> {
  if (tf.findBackendFactory(name)) tf.removeBackend(name);
  tf.registerBackend(name, factory);
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start its ${name} backend`);
}

interface Opened {
  info: DeviceInfo;
  lost: Promise<NvlmError>;
  check(): Promise<void>;
  settle<T>(work: Promise<T>): Promise<T>;
  memoryBytes(): number;
  close(): void;
}

function makeDevice({ info, lost, check, settle, memoryBytes, close }: Opened): Device {
  let open = true;
  const device: Device = {
    info,
    lost,
    check,
    settle,
    memoryBytes,
    explain: fromThrown,
    read: async (tensor) => {
      const values = await readTyped(tensor);
      if (values instanceof Float32Array) return values;
      throw new TypeError(`read wants a float32 tensor, got ${tensor.dtype}`);
    },
    readIntegers: async (tensor) => {
      const values = await readTyped(tensor);
      if (values instanceof Int32Array) return values;
      throw new TypeError(`readIntegers wants an int32 tensor, got ${tensor.dtype}`);
    },
    dispose: async () => {
      if (!open) return;
      open = false;
      if (current === device) current = null;
      close();
      // Without a current backend the next tfjs call would start one of its own choice, WebGL for instance.
      await tf.setBackend('cpu');
    },
  };
  const readTyped = async (tensor: tf.Tensor) => {
    try {
      return await settle(tensor.data());
    } catch (error) {
      throw fromThrown(error);
    }
  };
  return device;
}

const never: Promise<never> = new Promise(() => {});

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
