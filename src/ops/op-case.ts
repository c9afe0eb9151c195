import * as tf from '@tensorflow/tfjs';

import type { AffineBits } from './affine.ts';
import { defaultLines, LINES, variantName, type FewRowsOp, type ProductShape, type Variant } from './few-rows-lines.ts';
import { floatToHalf, packHalves } from '../numbers/half.ts';
import { seededNumbers } from '../numbers/random.ts';

/** Input on the host, so that it can be put on any backend. */
export interface HostTensor {
  shape: number[];
  dtype: 'float32' | 'int32';
  values: Float32Array | Int32Array;
}

type Tensors = Record<string, tf.Tensor>;

/** One op at one shape: what runs, what it should equal, and how closely. */
export interface OpCase {
  op: string;
  case: string;
  /** Largest error of the result and of each gradient, relative to the largest expected magnitude (at least 1). */
  bound: number;
  /** Programs that one backend alone has; elsewhere there is nothing to check. */
  onlyOn?: 'webgpu';
  /** What is run is this variant of the op's program; absent: the default. */
  variant?: Variant;
  /** Deterministic. */
  inputs: () => Record<string, HostTensor>;
  /** Inputs that get a gradient. */
  differentiable: string[];
  run: (inputs: Tensors) => tf.Tensor;
  /** Stock tfjs ops throughout, so that tfjs itself differentiates it. */
  reference: (inputs: Tensors) => tf.Tensor;
}

/** The case once more for each variant beside the default. Gradients have programs of their own, without variants. */
export function inOtherVariants(op: FewRowsOp, layout: ProductShape['layout'], opCase: OpCase): OpCase[] {
  return LINES.filter((lines) => lines !== defaultLines(op, { layout })).map((lines) => {
    const variant = { op, layout, lines };
    return { ...opCase, case: `${opCase.case}, as ${variantName(variant)}`, onlyOn: 'webgpu', variant, differentiable: [] };
  });
}

/** Values spread over [−scale, scale]. */
export function floats(shape: number[], seed: number, scale = 1): HostTensor {
  const next = seededNumbers(seed);
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => (next() * 2 - 1) * scale);
  return { shape, dtype: 'float32', values };
}

export function integers(shape: number[], values: ArrayLike<number>): HostTensor {
  return { shape, dtype: 'int32', values: Int32Array.from(values) };
}

/** Whole numbers in [low, high). */
export function randomIntegers(shape: number[], seed: number, low: number, high: number): HostTensor {
  const next = seededNumbers(seed);
  return integers(
    shape,
    Array.from({ length: tf.util.sizeFromShape(shape) }, () => low + Math.floor(next() * (high - low))),
  );
}

export function halves(rows: number, columns: number, seed: number): HostTensor {
  return integers(
    [rows, Math.ceil(columns / 2)],
    packHalves(Uint16Array.from(floats([rows, columns], seed).values, floatToHalf), rows, columns),
  );
}

/** The same with scales and biases in pairs of halves, to which they are rounded. */
export function paired({ words, scales, biases }: Record<'words' | 'scales' | 'biases', HostTensor>) {
  const halves = Uint16Array.from({ length: 2 * scales.values.length }, (_, i) =>
    floatToHalf((i % 2 === 0 ? scales : biases).values[i >> 1]!),
  );
  return { words, pairs: integers(scales.shape, packHalves(halves, scales.values.length, 2)) };
}

/** A quantised matrix [rows, columns] with values in about [−1, 1]. */
export function quantised(rows: number, columns: number, bits: AffineBits, groupSize: number, seed: number) {
  const groups = floats([rows, columns / groupSize], seed);
  return {
    words: randomIntegers([rows, (columns * bits) / 32], seed + 1, -(2 ** 31), 2 ** 31),
    scales: { ...groups, values: Float32Array.from(groups.values, (value) => (2 + value) / 2 ** bits) },
    biases: floats(groups.shape, seed + 2),
  };
}
