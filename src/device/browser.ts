import plainWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import type { DevicePlatform } from './types.ts';
import type { PoolThread, ThreadStart } from './wasm-pool.ts';

/** The browser's own WebGPU; wasm from files beside the script, so it works from any base path, in a worker and offline. */
export function browserPlatform(): DevicePlatform {
  return {
    async gpu() {
      if (navigator.gpu) return navigator.gpu;
      if (!globalThis.isSecureContext) return { absent: 'Browsers hide WebGPU from pages that did not come over HTTPS' };
      return { absent: 'This browser has no WebGPU' };
    },
    async prepareWasm() {},
    async wasmBinary(kind) {
      const response = await fetch(kind === 'simd' ? simdWasm : plainWasm);
      if (!response.ok) throw new Error(`its file could not be fetched (HTTP ${response.status})`);
      return new Uint8Array(await response.arrayBuffer());
    },
    threads() {
      // A page's own thread must not wait for others.
      if ('document' in globalThis) return { absent: 'The thread of a page computes alone.' };
      if (!globalThis.crossOriginIsolated) return { absent: notIsolated };
      // WebKitGTK isolates pages and gives them none.
      if (!('SharedArrayBuffer' in globalThis)) return { absent: 'This browser gives pages no memory that threads could share.' };
      return { most: navigator.hardwareConcurrency ?? 1, fixed: false, start: startThread };
    },
  };
}

const notIsolated =
  'This page is not cross-origin isolated, so the browser gives it no memory that threads could share. In Chrome, Edge and Firefox it is ' +
  'from the second visit on: load it once more. Safari computes on one thread.';

function startThread(start: ThreadStart): PoolThread {
  const thread = new Worker(new URL('./wasm-thread.worker.ts', import.meta.url), { type: 'module', name: 'wasm thread' });
  const failed = new Promise<never>((_, reject) => thread.addEventListener('error', () => reject(new Error('the thread failed'))));
  const ready = new Promise<void>((resolve) => thread.addEventListener('message', () => resolve(), { once: true }));
  thread.postMessage(start);
  return {
    ready: Promise.race([ready, failed]),
    onEnd: (listener) => void failed.catch(listener),
    stop: () => thread.terminate(),
  };
}
