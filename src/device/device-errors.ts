import { NvlmError } from '../errors.ts';
import type { BackendName } from './types.ts';

const megabyte = 1024 * 1024;

export function deviceLost(detail: string): NvlmError {
  return new NvlmError(
    'device-lost',
    `The graphics device was lost${detail ? `: ${detail}` : '.'}`,
    'Load the model again; if it happens twice, close other tabs that use the GPU or choose the wasm backend.',
  );
}

export function outOfMemory(detail: string): NvlmError {
  return new NvlmError(
    'out-of-memory',
    `The device has not enough memory: ${detail}`,
    'Use a smaller model, fewer tiles or a shorter conversation, or close other tabs that use the GPU.',
  );
}

export function bufferTooLarge(bytes: number, limit: number): NvlmError {
  const size = `${Math.ceil(bytes / megabyte)} MiB`;
  return outOfMemory(`one tensor needs ${size}, this device allows ${Math.floor(limit / megabyte)} MiB.`);
}

export function shaderFailed(detail: string): NvlmError {
  return new NvlmError(
    'shader-failed',
    `A GPU program failed on this device: ${detail}`,
    'Choose the wasm backend, and report the GPU adapter with this message.',
  );
}

export function backendFailed(name: string, cause: unknown): NvlmError {
  return new NvlmError('no-device', `The ${name} backend did not start: ${detailOf(cause)}`, 'Choose another backend.', { cause });
}

const NAMES: Record<BackendName, string> = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'JavaScript' };

/** Why a rung of the ladder failed, for the reason of the one that computes in its place. */
export function wordsFor(backend: BackendName, error: unknown): string {
  return `${NAMES[backend]} said: ${detailOf(error).replace(/\.?$/, '.')}`;
}

/** tfjs rejects with plain objects as well. */
export function detailOf(cause: unknown): string {
  const { message } = (cause ?? {}) as { message?: unknown };
  return typeof message === 'string' && message !== '' ? message : String(cause);
}

/** The typed error of what WebGPU reports as an uncaptured error or in an error scope. */
export function fromGpuError(error: GPUError): NvlmError {
  return error.constructor.name === 'GPUOutOfMemoryError' ? outOfMemory(error.message) : shaderFailed(error.message);
}

/** The typed error behind a thrown value, or the value itself where it is none of the device's. */
export function fromThrown(error: unknown): unknown {
  if (error instanceof NvlmError || !(error instanceof Error)) return error;
  const exhausted =
    /out of memory|\bOOM\b|cannot enlarge memory|could not allocate memory|array buffer allocation failed|invalid typed array length/i;
  return exhausted.test(error.message) ? outOfMemory(error.message) : error;
}
