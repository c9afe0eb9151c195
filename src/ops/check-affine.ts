import * as tf from '@tensorflow/tfjs';
import { checkShape } from './define-op.ts';
import { sidesOf } from './affine.ts';
import type { AffineTensors } from './types.ts';

/** @throws RangeError unless the tensors are those of a quantised [rows, columns] matrix that the programs can read */
export function checkAffine(op: string, weight: AffineTensors, rows: number, columns: number): void {
  const { bits, groupSize, data } = weight;
  if (columns % groupSize !== 0 || groupSize % 32 !== 0) {
    throw new RangeError(`${op}: ${columns} columns do not divide into groups of ${groupSize}`);
  }
  if (weight.pairs && tf.getBackend() === 'wasm') throw new RangeError(`${op}: the wasm kernels read scales and biases as f32`);
  checkShape(op, 'quantised weight', data, [rows, (columns * bits) / 32]);
  for (const [name, side] of Object.entries(sidesOf<tf.Tensor2D>(weight))) checkShape(op, name, side, [rows, columns / groupSize]);
}
