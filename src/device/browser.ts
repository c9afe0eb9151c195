import plainWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import type { DevicePlatform } from './types.ts';

/** The browser's own WebGPU; wasm from files beside the script, so it works from any base path, in a worker and offline. */
export function browserPlatform(): DevicePlatform {
  return {
    async gpu() {
      if (navigator.gpu) return navigator.gpu;
      if (!globalThis.isSecureContext) return { absent: 'Browsers hide WebGPU from pages that did not come over HTTPS' };
      return { absent: 'This browser has no WebGPU' };
    },
    async prepareWasm() {
      const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
      setWasmPaths({
        'tfjs-backend-wasm.wasm': plainWasm,
        'tfjs-backend-wasm-simd.wasm': simdWasm,
        // Never fetched, as threads are off, but the table must name it.
        'tfjs-backend-wasm-threaded-simd.wasm': simdWasm,
      });
    },
  };
}
