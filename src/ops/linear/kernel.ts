import type * as tf from '@tensorflow/tfjs';

import { type Address, addressOf, FORMAT, scratchOf, wasmKernels, type WasmKernels, wasmOutput } from '../../device/wasm-kernels.ts';
import { wasmModule } from '../../device/wasm-memory.ts';
import type { AffineBits } from '../affine.ts';
import { runKernel } from '../wasm-kernel.ts';

/** A matrix [rows, columns] as it lies in memory. */
export interface HeldMatrix {
  format: (typeof FORMAT)[keyof typeof FORMAT];
  rows: number;
  columns: number;
  data: tf.Tensor;
  scales?: tf.Tensor;
  biases?: tf.Tensor;
  groupSize?: number;
}

export function f32Of(data: tf.Tensor2D): HeldMatrix {
  return { format: FORMAT.f32, rows: data.shape[0], columns: data.shape[1], data };
}

export function halvesOf(data: tf.Tensor2D, columns: number): HeldMatrix {
  return { format: FORMAT.f16, rows: data.shape[0], columns, data };
}

export function affineOf(
  { words, scales, biases }: { words: tf.Tensor2D; scales?: tf.Tensor2D; biases?: tf.Tensor2D },
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
): HeldMatrix {
  const format = bits === 8 ? FORMAT.affine8 : FORMAT.affine4;
  return { format, rows: words.shape[0], columns: (words.shape[1] * 32) / bits, data: words, scales, biases, groupSize };
}

interface ProductOptions {
  aTransposed?: boolean;
  bTransposed?: boolean;
  /** f32 [n] */
  bias?: tf.Tensor1D;
}

/** Below so many rows a weight is used too few times to be unpacked first. */
const FEW_ROWS = 8;
/** Floats are not unpacked, only laid next to each other. */
const FEW_FLOAT_ROWS = 4;

/** a · b (+ bias), [m, n], by the wasm kernels: see kernels/gemm.ts and kernels/few-rows.ts. */
export function productKernel(
  a: tf.Tensor2D,
  b: HeldMatrix,
  { aTransposed = false, bTransposed = false, bias }: ProductOptions,
): tf.TensorInfo {
  const [k, m] = aTransposed ? a.shape : [a.shape[1], a.shape[0]];
  const n = bTransposed ? b.rows : b.columns;
  const { format, groupSize = 1 } = b;
  return runKernel([m, n], (run, c, at) => {
    const few = !aTransposed && m < (format === FORMAT.f32 ? FEW_FLOAT_ROWS : FEW_ROWS);
    if (few && bTransposed && format !== FORMAT.f32) {
      multiplyFewRows(run, a, [{ matrix: b, bias, out: c }]);
    } else if (few && !bTransposed && format === FORMAT.f32) {
      run.multiplyFewRowsF32(at(a), at(b.data), at(bias), c, m, n, k);
    } else {
      const flags = [Number(aTransposed), format, at(b.data), Number(bTransposed)];
      run.multiply(at(a), ...flags, at(b.scales), at(b.biases), groupSize, at(bias), c, m, n, k);
    }
  });
}

/** One of several products of the same rows, a · matrixᵀ. */
export interface FewRowsFactor {
  matrix: HeldMatrix;
  /** f32 [n] */
  bias?: tf.Tensor1D;
  /** f32 [m, n], in place of a bias. */
  residual?: tf.Tensor2D;
}

/** Whether {@link fewRowsKernel} takes products of so many rows. */
export function isFewRows(m: number, factors: readonly FewRowsFactor[]): boolean {
  const [first] = factors;
  return m < FEW_ROWS && factors.every(({ matrix, bias, residual }) => isAlike(matrix, first!.matrix) && !(bias && residual));
}

function isAlike(a: HeldMatrix, b: HeldMatrix): boolean {
  return a.format !== FORMAT.f32 && a.format === b.format && a.groupSize === b.groupSize;
}

/** The products of a few rows [m, k] with each of several packed matrices, [m, n], in one call: a is made ready once for all. */
export function fewRowsKernel(a: tf.Tensor2D, factors: readonly FewRowsFactor[]): tf.TensorInfo[] {
  const outputs = factors.map(({ matrix }) => wasmOutput([a.shape[0], matrix.rows]));
  multiplyFewRows(
    wasmKernels()!,
    a,
    factors.map((factor, i) => ({ ...factor, out: addressOf(outputs[i]) })),
  );
  return outputs;
}

/** Words of a matrix in the table of kernels/few-rows.ts. */
const MATRIX_WORDS = 7;

function multiplyFewRows(run: WasmKernels, a: tf.Tensor2D, factors: readonly (FewRowsFactor & { out: Address })[]): void {
  const [m, k] = a.shape;
  const { format, groupSize } = factors[0]!.matrix;
  const readyBytes = run.multiplyFewRowsScratch(m, k, groupSize ? k / groupSize : 0);
  const ready = scratchOf(readyBytes + 4 * MATRIX_WORDS * factors.length);
  const table = ready + readyBytes;
  const words = new Uint32Array(wasmModule().HEAPU8.buffer, table, MATRIX_WORDS * factors.length);
  let fours = 0;
  let word = 0;
  for (const { matrix, bias, residual, out } of factors) {
    words[word++] = addressOf(matrix.data);
    words[word++] = addressOf(matrix.scales);
    words[word++] = addressOf(matrix.biases);
    words[word++] = addressOf(bias ?? residual);
    words[word++] = out;
    words[word++] = residual ? 4 * matrix.rows : 0;
    words[word++] = matrix.rows;
    fours += Math.ceil(matrix.rows / 4);
  }
  run.makeRowsReady(format, addressOf(a), groupSize ?? 1, m, k, ready);
  run.multiplyFewRows(format, ready, table, fours, groupSize ?? 1, m, k);
}
