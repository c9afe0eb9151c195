import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { allocateTensor, hostMemory, writeTensor } from '../device/tensor-memory.ts';
import { packHalves } from '../numbers/half.ts';

/** Where the rows of one matrix go on the device, some at a time, in any order and each once. */
export interface MatrixTarget<Values> {
  /** @param values whole rows from `firstRow` on, as checkpoints store them */
  write(firstRow: number, values: Values): void;
  /** Once all rows are there. The tensor then belongs to the caller. */
  finish(): Tensor2D;
  dispose(): void;
}

/** f32 [rows, columns] */
export function floatRows(rows: number, columns: number): MatrixTarget<Float32Array> {
  const tensor = allocateTensor<tf.Rank.R2>([rows, columns], 'float32');
  return {
    write: (firstRow, values) => writeTensor(tensor, firstRow * columns, values),
    finish: () => tensor,
    dispose: () => tensor.dispose(),
  };
}

/** Halves, two a word: int32 [rows, ceil(columns / 2)] */
export function halfRows(rows: number, columns: number): MatrixTarget<Uint16Array> {
  const width = Math.ceil(columns / 2);
  const tensor = allocateTensor<tf.Rank.R2>([rows, width], 'int32');
  return {
    write: (firstRow, bits) => writeTensor(tensor, firstRow * width, wordsOf(bits, columns)),
    finish: () => tensor,
    dispose: () => tensor.dispose(),
  };
}

/** Memory of an even row length is the packed layout already, see `packHalves`. */
function wordsOf(bits: Uint16Array, columns: number): Int32Array {
  const isPacked = columns % 2 === 0 && bits.byteOffset % 4 === 0;
  return isPacked
    ? new Int32Array(bits.buffer as ArrayBuffer, bits.byteOffset, bits.length / 2)
    : packHalves(bits, bits.length / columns, columns);
}

/** f32, transposed: [columns, rows] */
export function floatColumns(rows: number, columns: number): MatrixTarget<Float32Array> {
  const turned = allocateTensor<tf.Rank.R2>([columns, rows], 'float32');
  if (hostMemory(turned)) {
    return {
      write: (firstRow, values) => writeTurned(values, columns, hostMemory(turned) as Float32Array, rows, firstRow),
      finish: () => turned,
      dispose: () => turned.dispose(),
    };
  }
  // A GPU turns it round better than a thousand small writes would.
  turned.dispose();
  const target = floatRows(rows, columns);
  return {
    ...target,
    finish: () => {
      const straight = target.finish();
      const result = tf.transpose(straight);
      straight.dispose();
      return result;
    },
  };
}

/** Small squares at a time, so that both sides stay in the cache. */
const BLOCK = 32;

function writeTurned(values: Float32Array, columns: number, out: Float32Array, stride: number, first: number): void {
  const rows = values.length / columns;
  for (let row0 = 0; row0 < rows; row0 += BLOCK) {
    const rowEnd = Math.min(rows, row0 + BLOCK);
    for (let column0 = 0; column0 < columns; column0 += BLOCK) {
      const columnEnd = Math.min(columns, column0 + BLOCK);
      for (let column = column0; column < columnEnd; column++) {
        const to = column * stride + first;
        for (let row = row0; row < rowEnd; row++) out[to + row] = values[row * columns + column]!;
      }
    }
  }
}
