import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, it } from 'vitest';
import { nodePlatform } from './node.ts';
import { openDevice } from './open-device.ts';
import { keepPackedOnly } from './packed-matrix.ts';
import type { Device } from './types.ts';

let device: Device | undefined;
afterEach(() => device?.dispose());

const IN = 500;
const OUT = 700;
const BYTES = 4 * IN * OUT;

it('multiplies as before on wasm, in the memory of one copy, and has nothing to read', async () => {
  device = await openDevice('wasm', nodePlatform());
  const matrices: tf.Tensor2D[] = [];
  const x = tf.randomNormal<tf.Rank.R2>([3, IN]);
  const expected: Float32Array[] = [];
  const before = device.memoryBytes();
  for (let i = 0; i < 20; i++) {
    const matrix = tf.randomNormal<tf.Rank.R2>([IN, OUT]);
    // Another tensor of the same values, so that nothing is packed for the one under test.
    const product = tf.tidy(() => tf.matMul(x, matrix.add(0)));
    expected.push(await device.read(product));
    product.dispose();
    expect(keepPackedOnly(matrix)).toBe(true);
    matrices.push(matrix);
  }
  const grown = device.memoryBytes() - before;
  // One copy each, another while it is packed, and the fifth by which the memory grows beyond what is asked for.
  expect(grown).toBeLessThan(1.2 * (20 + 6) * BYTES);
  // What lay there is written over.
  const others = tf.fill([3 * IN, OUT], NaN);
  for (const [i, matrix] of matrices.entries()) {
    const product = tf.matMul(x, matrix);
    expect(await device.read(product)).toEqual(expected[i]);
    product.dispose();
  }
  expect((await device.read(matrices[0]!)).length).toBe(0);
  tf.dispose([x, others, ...matrices]);
  const tensors = tf.memory().numTensors;
  expect(tensors).toBe(0);
});

it('leaves matrices of other backends alone', async () => {
  device = await openDevice('cpu', nodePlatform());
  const matrix = tf.ones<tf.Rank.R2>([2, 2]);
  expect(keepPackedOnly(matrix)).toBe(false);
  expect([...(await device.read(matrix))]).toEqual([1, 1, 1, 1]);
  matrix.dispose();
});
