import type * as tf from '@tensorflow/tfjs';

import { hostMemory } from '../../device/tensor-memory.ts';
import { scratchOf } from '../../device/wasm-kernels.ts';
import { wasmModule } from '../../device/wasm-memory.ts';
import { runKernel } from '../wasm-kernel.ts';

/** Cosines and sines of the last call's angles: every layer of a model turns by the same ones. */
let last: { positions: object; frequencies: object; turns: Float32Array } | null = null;

/** See kernels/rope.ts. wasm has no sine, so the angles' are made here, each rounded to f32 as the reference rounds them. */
export function ropeKernel(
  x: tf.Tensor2D,
  positions: tf.Tensor1D,
  inverseFrequencies: tf.Tensor1D,
  heads: number,
  direction: 1 | -1,
): tf.TensorInfo {
  const turns = turnsOf(positions, inverseFrequencies);
  return runKernel(x.shape, (run, y, at) => {
    const scratch = scratchOf(turns.byteLength);
    new Float32Array(wasmModule().HEAPU8.buffer, scratch, turns.length).set(turns);
    run.rope(at(x), scratch, y, x.shape[0], heads, inverseFrequencies.size, direction);
  });
}

/** [rows, 2, half] */
function turnsOf(positions: tf.Tensor1D, inverseFrequencies: tf.Tensor1D): Float32Array {
  if (last?.positions === positions.dataId && last.frequencies === inverseFrequencies.dataId) return last.turns;
  const frequencies = hostMemory(inverseFrequencies)!;
  const half = frequencies.length;
  const turns = new Float32Array(positions.size * 2 * half);
  hostMemory(positions)!.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      turns[row * 2 * half + i] = Math.cos(angle);
      turns[(row * 2 + 1) * half + i] = Math.sin(angle);
    }
  });
  last = { positions: positions.dataId, frequencies: inverseFrequencies.dataId, turns };
  return turns;
}
