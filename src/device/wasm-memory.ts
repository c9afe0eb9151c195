import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { outOfMemory } from './device-errors.ts';

/** The part of tfjs's Emscripten module that its type leaves out. */
export interface WasmModule {
  /** Another one each time the memory has grown. */
  HEAPU8: Uint8Array;
  asm: { memory: WebAssembly.Memory };
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}

/** Of the current backend, which must be wasm. */
export function wasmModule(): WasmModule {
  return (tf.backend() as BackendWasm).wasm as unknown as WasmModule;
}

/** tfjs takes the null pointer of a failed allocation for an address and would overwrite what lies there. */
export function refuseFailedAllocations(wasm: WasmModule): void {
  // Emscripten's first-call stub replaces the property; call it once so that it cannot replace ours.
  wasm._free(wasm._malloc(1));
  const allocate = wasm._malloc;
  wasm._malloc = (bytes) => {
    // A 32-bit address space: larger sizes would wrap around and succeed.
    const pointer = bytes < 2 ** 32 ? allocate(bytes) : 0;
    if (pointer === 0 && bytes > 0) throw outOfMemory(`WebAssembly could not get ${bytes} bytes.`);
    return pointer;
  };
}

/**
 * Whether blocks of these sizes can be had at once without wasm's memory growing beyond `mostBytes`. That memory never shrinks, and
 * what is free of it lies in pieces, so a sum of what is in use does not tell.
 */
export function hasRoom(sizes: readonly number[], mostBytes: number): boolean {
  const wasm = wasmModule();
  const { memory } = wasm.asm;
  // Shadows the prototype's; Emscripten takes the refusal for memory at its end, and the allocator returns null.
  memory.grow = (pages) => {
    if (memory.buffer.byteLength + pages * 65536 > mostBytes) throw new RangeError('beyond the budget');
    return WebAssembly.Memory.prototype.grow.call(memory, pages);
  };
  const got: number[] = [];
  try {
    for (const size of sizes) got.push(wasm._malloc(size));
    return true;
  } catch {
    return false;
  } finally {
    for (const pointer of got) wasm._free(pointer);
    Reflect.deleteProperty(memory, 'grow');
  }
}
