import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { cacheWrite } from './cache-write.ts';

testOpCases('cacheWrite');

forEachBackend(
  (_, device) => {
    test('writes in place, even after the cache was read', async () => {
      const cache = tf.zeros<tf.Rank.R3>([1, 3, 2]);
      const row = tf.tensor3d([5, 6], [1, 1, 2]);
      const starts = tf.tensor1d([1], 'int32');
      expect(cacheWrite(cache, row, starts, [1])).toBe(cache);
      expect([...(await device().read(cache))]).toEqual([0, 0, 5, 6, 0, 0]);
      const [again, at] = [tf.tensor3d([7, 8], [1, 1, 2]), tf.tensor1d([2], 'int32')];
      cacheWrite(cache, again, at, [2]);
      expect([...(await device().read(cache))]).toEqual([0, 0, 5, 6, 7, 8]);
      expect(() => cacheWrite(cache, row, starts, [3])).toThrow('1 rows at 3 in a cache of 3 rows');
      tf.dispose([cache, row, starts, again, at]);
    });
  },
  ['webgpu', 'wasm'],
);

forEachBackend(
  (_, device) => {
    test('returns a new cache just long enough, from an empty one too', async () => {
      const empty = tf.zeros<tf.Rank.R3>([2, 0, 1]);
      const first = cacheWrite(empty, tf.tensor3d([1, 2, 3, 4], [2, 2, 1]), tf.tensor1d([0, 0], 'int32'), [0, 0]);
      const second = cacheWrite(first, tf.tensor3d([5, 6], [2, 1, 1]), tf.tensor1d([2, 1], 'int32'), [2, 1]);
      expect(second.shape).toEqual([2, 3, 1]);
      expect([...(await device().read(second))]).toEqual([1, 2, 5, 3, 6, 0]);
      expect([...(await device().read(first))]).toEqual([1, 2, 3, 4]);
      expect(() => cacheWrite(first, tf.zeros([2, 1, 1]), tf.tensor1d([0, 3], 'int32'), [0, 3])).toThrow('starts 0,3');
      tf.dispose([empty, first, second]);
    });
  },
  ['cpu'],
);
