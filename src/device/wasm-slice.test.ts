import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';

forEachBackend(
  (_, device) => {
    test.each([
      [[5], [1], [3]],
      [
        [3, 4],
        [1, 0],
        [2, 4],
      ],
      [
        [3, 4],
        [0, 1],
        [3, 2],
      ],
      [
        [2, 3, 4],
        [1, 1, 1],
        [1, 2, 3],
      ],
      [
        [2, 3, 4],
        [0, 1, 0],
        [2, 1, -1],
      ],
      [
        [2, 3, 4],
        [0, 0, 0],
        [2, 3, 4],
      ],
      [
        [2, 0, 3],
        [0, 0, 1],
        [2, 0, 2],
      ],
    ])('%j from %j, %j long', async (shape, begin, size) => {
      const all = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => i);
      const part = tf.tidy(() => tf.slice(tf.tensor(all, shape), begin, size));
      const expected: number[] = [];
      const strides = tf.util.computeStrides(shape).concat(1);
      all.forEach((value) => {
        const place = shape.map((extent, axis) => Math.floor(value / strides[axis]!) % extent);
        if (place.every((at, axis) => at >= begin[axis]! && (size[axis] === -1 || at < begin[axis]! + size[axis]!))) expected.push(value);
      });
      expect([...(await device().read(part))]).toEqual(expected);
      part.dispose();
    });
  },
  ['wasm'],
);
