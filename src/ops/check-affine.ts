import { checkShape } from './define-op.ts';
import type { AffineTensors } from './types.ts';

/** @throws RangeError unless the tensors are those of a quantised [rows, columns] matrix that the programs can read */
export function checkAffine(op: string, { bits, groupSize, data, scales, biases }: AffineTensors, rows: number, columns: number): void {
  if (columns % groupSize !== 0 || groupSize % 32 !== 0) {
    throw new RangeError(`${op}: ${columns} columns do not divide into groups of ${groupSize}`);
  }
  checkShape(op, 'quantised weight', data, [rows, (columns * bits) / 32]);
  checkShape(op, 'scales', scales, [rows, columns / groupSize]);
  checkShape(op, 'biases', biases, [rows, columns / groupSize]);
}
