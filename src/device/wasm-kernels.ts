import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { relaxedSimdKernels, simdKernels } from './wasm-kernels-bytes.ts';
import { wasmModule, type WasmModule } from './wasm-memory.ts';

/** A place in wasm's memory, in bytes; 0 stands for what is left out. */
export type Address = number;

/**
 * The project's own kernels (kernels/*.ts), which work in the memory of tfjs's wasm module. Their arguments are addresses, numbers of
 * elements, and flags that are 0 or 1, in the order of the functions there, which say what they compute.
 */
export type WasmKernels = Record<
  | 'adamW'
  | 'attend'
  | 'attendFewRows'
  | 'attendGradient'
  | 'columnSums'
  | 'embed'
  | 'gelu'
  | 'geluGradient'
  | 'geluTanh'
  | 'geluTanhGradient'
  | 'layerNorm'
  | 'multiply'
  | 'multiplyFewRows'
  | 'multiplyFewRowsF32'
  | 'rmsNorm'
  | 'rmsNormGradient'
  | 'rope'
  | 'swiglu'
  | 'swigluGateGradient',
  (...operands: number[]) => void
> &
  /** How many bytes of scratch memory the kernel of that name needs. */
  Record<
    'attendScratch' | 'attendFewRowsScratch' | 'attendGradientScratch' | 'multiplyScratch' | 'multiplyFewRowsScratch',
    (...sizes: number[]) => number
  >;

export type WasmFeature = 'simd' | 'relaxed-simd';

let opened: { wasm: WasmModule; run: WasmKernels; scratch: { at: Address; bytes: number } } | null = null;

/**
 * Starts the kernels in the memory of a wasm module, with relaxed SIMD where the machine has it.
 * @returns null where it has no SIMD at all: then stock tfjs ops compute
 */
export async function startWasmKernels(wasm: WasmModule): Promise<WasmFeature | null> {
  opened = null;
  const choices: [WasmFeature, string][] = [
    ['relaxed-simd', relaxedSimdKernels],
    ['simd', simdKernels],
  ];
  for (const [feature, text] of choices) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (!WebAssembly.validate(bytes)) continue;
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory: wasm.asm.memory } });
    opened = { wasm, run: instance.exports as unknown as WasmKernels, scratch: { at: 0, bytes: 0 } };
    return feature;
  }
  return null;
}

/** The kernels, where the current backend has them: wasm on a machine with SIMD. */
export function wasmKernels(): WasmKernels | null {
  return opened && tf.getBackend() === 'wasm' && opened.wasm === wasmModule() ? opened.run : null;
}

/** The numbers of kernels/formats.ts: how a matrix lies in memory. */
export const FORMAT = { f32: 0, f16: 1, affine8: 2, affine4: 3 } as const;

/**
 * Whether the current backend computes with the project's own programs or kernels. Stock ops, which compute elsewhere, unpack packed
 * weights at every use and hold whole matrices of attention scores.
 */
export function hasOwnKernels(): boolean {
  return tf.getBackend() === 'webgpu' || wasmKernels() !== null;
}

/** Where a tensor's values lie. */
export function addressOf(tensor: tf.TensorInfo | undefined): Address {
  return tensor ? heldData(tensor).memoryOffset : 0;
}

/** A tensor whose every value the kernel is to write. */
export function wasmOutput(shape: number[], dtype: 'float32' | 'int32' = 'float32'): tf.TensorInfo {
  return (tf.backend() as BackendWasm).makeOutput(shape, dtype);
}

/**
 * Memory for one call of a kernel; the next call may get the same.
 * @throws NvlmError `out-of-memory`
 */
export function scratchOf(bytes: number): Address {
  const { wasm, scratch } = opened!;
  if (scratch.bytes < bytes) {
    wasm._free(scratch.at);
    // Nothing is held should there be no room.
    scratch.bytes = scratch.at = 0;
    scratch.at = wasm._malloc(bytes) >>> 0;
    scratch.bytes = bytes;
  }
  return scratch.at;
}

function heldData(tensor: tf.TensorInfo): { memoryOffset: Address } {
  const { dataIdMap } = tf.backend() as unknown as { dataIdMap: { get(id: object): { memoryOffset: Address } } };
  return dataIdMap.get(tensor.dataId);
}
