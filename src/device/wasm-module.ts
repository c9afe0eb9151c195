import * as tf from '@tensorflow/tfjs';
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import moduleFactory from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js';
import { withSharedMemory } from './share-memory.ts';
import type { DevicePlatform } from './types.ts';

type Instantiate = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void) => object;
interface Emscripten {
  cwrap(name: string, returns: 'number' | null, takes: 'number'[]): (...operands: number[]) => number;
  tfjs: object;
}
/** Emscripten's own code around tfjs's wasm module, of which tfjs calls the same with and without SIMD. */
const factory = moduleFactory as unknown as (options: { instantiateWasm: Instantiate }) => Promise<Emscripten>;

/**
 * tfjs's wasm backend, as its own factory makes it (tfjs-backend-wasm, `init`), but for two things: its memory may be shared between
 * threads, and what goes wrong is told. Each has a module of its own: wasm memory never shrinks, so freeing it means dropping the module.
 */
export async function openWasmModule(platform: DevicePlatform, { shared }: { shared: boolean }): Promise<BackendWasm> {
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const file = await platform.wasmBinary(simd ? 'simd' : 'plain');
  const bytes = (shared ? withSharedMemory(file) : file) as BufferSource;
  const module = await new Promise<Emscripten>((resolve, reject) => {
    const instantiateWasm: Instantiate = (imports, done) => {
      const instantiated = WebAssembly.instantiate(bytes, imports);
      instantiated.then(({ instance, module }) => done(instance, module)).catch(reject);
      return {};
    };
    factory({ instantiateWasm }).then(resolve, reject);
  });
  const { cwrap } = module;
  module.tfjs = {
    init: cwrap('init', null, []),
    initWithThreadsCount: cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: cwrap('get_threads_count', 'number', []),
    registerTensor: cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: cwrap('dispose_data', null, ['number']),
    dispose: cwrap('dispose', null, []),
  };
  return new BackendWasm(module as unknown as ConstructorParameters<typeof BackendWasm>[0]);
}
