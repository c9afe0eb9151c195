import type * as tf from '@tensorflow/tfjs';

import { type Address, addressOf, wasmKernels, type WasmKernels, wasmOutput } from '../device/wasm-kernels.ts';

/** A new float tensor that a wasm kernel fills; see device/wasm-kernels.ts. Where there are kernels only. */
export function runKernel(shape: number[], run: (kernels: WasmKernels, output: Address, at: typeof addressOf) => void): tf.TensorInfo {
  const output = wasmOutput(shape);
  run(wasmKernels()!, addressOf(output), addressOf);
  return output;
}
