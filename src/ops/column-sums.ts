import * as tf from '@tensorflow/tfjs';

import { scratchOf, wasmKernels } from '../device/wasm-kernels.ts';
import { runKernel } from './wasm-kernel.ts';
import { WEBGPU_BACKEND } from './webgpu-program.ts';

/**
 * Sums of the columns of dy [R, C]: the gradient of a bias.
 *
 * The terms may cancel almost wholly. A key bias shifts all scores of a row alike, which softmax ignores, so that
 * rotary positions alone leave it a gradient; summed in single precision that gradient would be rounding error, and
 * Adam would take it for signal. Off WebGPU, where the values lie in host memory, the sum is in double precision; on
 * WebGPU it is made in two short rounds.
 */
export function columnSums(dy: tf.Tensor): tf.Tensor1D {
  const [rows, columns] = dy.shape as [number, number];
  if (tf.getBackend() === WEBGPU_BACKEND) return inTwoRounds(dy, rows, columns);
  return wasmKernels() ? byKernel(dy, rows, columns) : inDouble(dy, rows, columns);
}

function inDouble(dy: tf.Tensor, rows: number, columns: number): tf.Tensor1D {
  const values = dy.dataSync<'float32'>();
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) sums[column]! += values[row * columns + column]!;
  }
  return tf.tensor1d(Float32Array.from(sums));
}

function byKernel(dy: tf.Tensor, rows: number, columns: number): tf.Tensor1D {
  const sums = runKernel([columns], (run, out, at) => run.columnSums(at(dy), out, rows, columns, scratchOf(8 * columns)));
  return tf.engine().makeTensorFromTensorInfo(sums) as tf.Tensor1D;
}

function inTwoRounds(dy: tf.Tensor, rows: number, columns: number): tf.Tensor1D {
  return tf.tidy(() => {
    const blocks = Math.ceil(Math.sqrt(rows));
    const padded = dy.pad([
      [0, blocks * Math.ceil(rows / blocks) - rows],
      [0, 0],
    ]);
    return padded.reshape([blocks, -1, columns]).sum(1).sum<tf.Tensor1D>(0);
  });
}
