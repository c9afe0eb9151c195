import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';
import { writesInPlace } from '../ops/cache-write/cache-write.ts';
import { CAPACITY_STEP, KvCache } from './kv-cache.ts';

const WIDTH = 4;

/** Rows that tell their entry, their place and their column. */
function rows(first: number, count: number, sign: 1 | -1): Tensor3D {
  const row = (entry: number, place: number) => Array.from({ length: WIDTH }, (_, column) => sign * (1000 * entry + place + column / 8));
  return tf.tensor3d([0, 1].map((entry) => Array.from({ length: count }, (_, i) => row(entry, first + i))));
}

forEachBackend(
  (_, device) => {
    test('keeps what it holds when it grows past its first capacity', async () => {
      const before = tf.memory().numTensors;
      const cache = new KvCache(2, 1, writesInPlace());
      const counts = [CAPACITY_STEP - 2, 1, 5];
      let held = 0;
      for (const count of counts) {
        tf.tidy(() => {
          cache.write(0, rows(held, count, 1), rows(held, count, -1), tf.tensor1d([held, held], 'int32'));
        });
        cache.advance([count, count]);
        held += count;
      }
      const { k, v } = tf.tidy(() => {
        const last = cache.write(0, rows(held, 1, 1), rows(held, 1, -1), tf.tensor1d([held, held], 'int32'));
        const own = (tensor: Tensor3D) => tf.keep(tensor.slice([0, 0, 0], [2, held + 1, WIDTH]));
        return { k: own(last.k), v: own(last.v) };
      });
      const expected = [rows(0, held + 1, 1), rows(0, held + 1, -1)];
      expect(await device().read(k)).toEqual(await device().read(expected[0]!));
      expect(await device().read(v)).toEqual(await device().read(expected[1]!));
      tf.dispose([k, v, expected]);
      cache.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  },
  ['wasm', 'webgpu'],
);
