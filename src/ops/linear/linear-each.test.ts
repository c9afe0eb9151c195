import * as tf from '@tensorflow/tfjs';
import { expect, test, vi } from 'vitest';
import { forEachBackend } from '../../../tests/support/op-cases.ts';
import { wasmKernels } from '../../device/wasm-kernels.ts';
import { floats, halves, quantised } from '../op-case.ts';
import { plus } from '../plus.ts';
import type { LinearWeight } from '../types.ts';
import { linear } from './linear.ts';
import { linearEach, type Factor } from './linear-each.ts';

type Kind = 'f32' | 'f16' | 4 | 8;

const tensor = ({ values, shape, dtype }: ReturnType<typeof floats>) => tf.tensor<tf.Rank>(values, shape, dtype);
const rowsOf = (rows: number, columns: number, seed: number) => tensor(floats([rows, columns], seed)) as tf.Tensor2D;

function weightOf(kind: Kind, inFeatures: number, outFeatures: number, seed: number, groupSize = 32): LinearWeight {
  const sizes = { inFeatures, outFeatures };
  if (kind === 'f32') return { kind, ...sizes, data: rowsOf(inFeatures, outFeatures, seed) };
  if (kind === 'f16') return { kind, ...sizes, data: tensor(halves(outFeatures, inFeatures, seed)) as tf.Tensor2D };
  const { words, scales, biases } = quantised(outFeatures, inFeatures, kind, groupSize, seed);
  const [data, s, b] = [words, scales, biases].map((input) => tensor(input) as tf.Tensor2D);
  return { kind: 'affine', bits: kind, groupSize, ...sizes, data: data!, scales: s!, biases: b! };
}

/** Sizes that do not divide into fours: with a bias, with a residual, with both of them, with neither. */
function factorsOf(kind: Kind, rows: number, inFeatures: number): Factor[] {
  const [a, b, c, d] = [19, 3, 8, 21].map((outFeatures, i) => weightOf(kind, inFeatures, outFeatures, i));
  const biasOf = (outFeatures: number) => tensor(floats([outFeatures], 7)) as tf.Tensor1D;
  return [
    { weight: a!, bias: biasOf(19) },
    { weight: b!, bias: null, residual: rowsOf(rows, 3, 8) },
    { weight: c!, bias: null },
    { weight: d!, bias: null, residual: rowsOf(rows, 21, 9) },
  ];
}

const oneByOne = (x: tf.Tensor2D, factors: readonly Factor[]) =>
  factors.map(({ weight, bias, residual }) => (residual ? plus(residual, linear(x, weight, bias)) : linear(x, weight, bias)));

const bitsOf = async (results: tf.Tensor[], read: (tensor: tf.Tensor) => Promise<ArrayLike<number>>) => {
  const bits: string[] = [];
  for (const result of results) bits.push(new Uint32Array(Float32Array.from(await read(result)).buffer).join());
  tf.dispose(results);
  return bits;
};

forEachBackend(
  (_, device) => {
    const read = (tensor: tf.Tensor) => device().read(tensor) as Promise<Float32Array>;

    test.each((['f32', 'f16', 4, 8] as const).flatMap((kind) => [1, 3, 9].map((rows) => [kind, rows] as const)))(
      '%s weights, %i rows: the bits of one after the other',
      async (kind, rows) => {
        const before = tf.memory().numTensors;
        const [each, one] = tf.tidy(() => {
          const x = rowsOf(rows, 96, 5);
          const factors = factorsOf(kind, rows, 96);
          return [linearEach(x, factors), oneByOne(x, factors)] as const;
        });
        expect(await bitsOf([...each], read)).toEqual(await bitsOf([...one], read));
        expect(tf.memory().numTensors).toBe(before);
      },
    );

    test.each(['f16', 8] as const)('%s weights have gradients', async (kind) => {
      const gradients = (run: typeof linearEach) =>
        tf.tidy(() => {
          const factors = factorsOf(kind, 2, 96);
          const f = (x: tf.Tensor, residual: tf.Tensor) => {
            const given = factors.map((factor, i) => (i === 1 ? { ...factor, residual: residual as tf.Tensor2D } : factor));
            return tf.addN(run(x as tf.Tensor2D, given).map((y) => y.square().sum()));
          };
          return tf.grads(f)([rowsOf(2, 96, 5), rowsOf(2, 3, 8)]);
        });
      expect(await bitsOf(gradients(linearEach), read)).toEqual(await bitsOf(gradients(oneByOne), read));
    });

    test('shapes that disagree are refused', () => {
      tf.tidy(() => {
        const [x, weight] = [rowsOf(2, 96, 5), weightOf('f16', 96, 8, 1)];
        expect(() => linearEach(rowsOf(2, 95, 5), [{ weight, bias: null }])).toThrow('linear: x is [2,95], expected [*,96]');
        expect(() => linearEach(x, [{ weight, bias: null, residual: rowsOf(2, 9, 1) }])).toThrow(RangeError);
      });
    });
  },
  // On WebGPU each is an op of its own.
  ['cpu', 'wasm'],
);

forEachBackend(() => {
  /** How often the kernel of few rows is called. */
  const callsOf = (rows: number, factors: Factor[]) =>
    tf.tidy(() => {
      const multiply = vi.spyOn(wasmKernels()!, 'multiplyFewRows');
      linearEach(rowsOf(rows, 128, 5), factors);
      const { length } = multiply.mock.calls;
      multiply.mockRestore();
      return length;
    });

  test('few rows are one call, of weights that lie alike, with a bias or a residual', () => {
    const [a, b] = [weightOf(8, 128, 8, 1), weightOf(8, 128, 12, 2)];
    const bias = tensor(floats([8], 3)) as tf.Tensor1D;
    const residual = rowsOf(2, 8, 4);
    expect(
      callsOf(2, [
        { weight: a, bias },
        { weight: b, bias: null },
      ]),
    ).toBe(1);
    expect(
      callsOf(2, [
        { weight: a, bias, residual },
        { weight: b, bias: null },
      ]),
    ).toBe(2);
    expect(
      callsOf(2, [
        { weight: a, bias },
        { weight: weightOf(8, 128, 12, 2, 64), bias: null },
      ]),
    ).toBe(2);
    expect(
      callsOf(2, [
        { weight: a, bias },
        { weight: weightOf(4, 128, 12, 2), bias: null },
      ]),
    ).toBe(2);
    expect(
      callsOf(8, [
        { weight: a, bias },
        { weight: b, bias: null },
      ]),
    ).toBe(0);
  });
}, ['wasm']);
