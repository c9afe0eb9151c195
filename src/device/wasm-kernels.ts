import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { withSharedMemory } from './share-memory.ts';
import { relaxedSimdKernels, simdKernels } from './wasm-kernels-bytes.ts';
import { wasmModule, type WasmModule } from './wasm-memory.ts';
import type { WasmPool } from './wasm-pool.ts';
import { type KernelSizes, type Rule, type SplitKernel, SPLITS } from './wasm-splits.ts';

/** A place in wasm's memory, in bytes; 0 stands for what is left out. */
export type Address = number;

/**
 * The project's own kernels (kernels/*.ts), which work in the memory of tfjs's wasm module. Their arguments are addresses, numbers of
 * elements, and flags that are 0 or 1, in the order of the functions there, which say what they compute; but a range of units and scratch
 * memory, which are those functions' last, are not given here: calls are cut between threads by the rules of wasm-splits.ts.
 */
export type WasmKernels = Record<SplitKernel | 'columnSums' | 'embed' | 'makeRowsReady', (...operands: number[]) => void> &
  Record<'multiplyFewRowsScratch', (...sizes: number[]) => number>;

/** What the module gives: the same with range and scratch, and what the rules of wasm-splits.ts ask for. */
export type WasmExports = WasmKernels & KernelSizes;

export type WasmFeature = 'simd' | 'relaxed-simd';

interface Started {
  wasm: WasmModule;
  run: WasmKernels;
  pool: WasmPool | null;
  scratch: { at: Address; bytes: number };
}
let opened: Started | null = null;

/** Kernels whose code has been compiled. */
export interface CompiledKernels {
  feature: WasmFeature;
  module: WebAssembly.Module;
}

/**
 * Compiles the kernels, with relaxed SIMD where the machine has it.
 * @param shared for a memory that is shared between threads
 * @returns null where it has no SIMD at all: then stock tfjs ops compute
 */
export async function compileWasmKernels({ shared }: { shared: boolean }): Promise<CompiledKernels | null> {
  const choices: [WasmFeature, string][] = [
    ['relaxed-simd', relaxedSimdKernels],
    ['simd', simdKernels],
  ];
  for (const [feature, text] of choices) {
    const plain = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const bytes = shared ? withSharedMemory(plain) : plain;
    if (WebAssembly.validate(bytes)) return { feature, module: await WebAssembly.compile(bytes) };
  }
  return null;
}

/**
 * Starts the kernels in the memory of a wasm module.
 * @param makePool the threads that calls are cut between, if there are any
 */
export async function startWasmKernels<P extends WasmPool | null>(
  wasm: WasmModule,
  kernels: CompiledKernels | null,
  makePool: (exports: WasmExports) => P,
): Promise<P | null> {
  opened = null;
  if (!kernels) return null;
  const { exports } = await WebAssembly.instantiate(kernels.module, { env: { memory: wasm.asm.memory } });
  const run = exports as unknown as WasmExports;
  const pool = makePool(run);
  const cut = Object.keys(SPLITS).map((name) => [name, cutCalls(name as SplitKernel, run, pool)]);
  opened = { wasm, run: { ...run, ...Object.fromEntries(cut) }, pool, scratch: { at: 0, bytes: 0 } };
  return pool;
}

/** The kernel with the operands that are its own. */
function cutCalls(name: SplitKernel, run: WasmExports, pool: WasmPool | null): (...operands: number[]) => void {
  const rule: Rule = SPLITS[name];
  const kernel = run[name];
  return (...operands) => {
    const split = rule(run, ...operands);
    const isCut = pool?.isWorthIt(split) ?? false;
    const count = split.count ?? operands.push(0, split.units) - 1;
    const { scratchBytes } = split;
    if (scratchBytes !== undefined) operands.push(scratchOf(scratchBytes * (isCut ? pool!.size : 1)));
    if (!isCut) {
      kernel(...operands);
      return;
    }
    pool!.run(name, operands, split, count, scratchBytes === undefined ? -1 : operands.length - 1);
  };
}

/** The kernels, where the current backend has them: wasm on a machine with SIMD. */
export function wasmKernels(): WasmKernels | null {
  return opened && tf.getBackend() === 'wasm' && opened.wasm === wasmModule() ? opened.run : null;
}

/** The threads that calls of the kernels are cut between; null where one computes all. */
export function wasmPool(): WasmPool | null {
  return wasmKernels() && opened!.pool;
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
