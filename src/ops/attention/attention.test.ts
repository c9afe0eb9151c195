import * as tf from '@tensorflow/tfjs';
import { describe, expect, test, vi } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { floats } from '../op-case.ts';
import { attention, type AttentionOptions } from './attention.ts';

testOpCases('attention');

const plain: AttentionOptions = { heads: 2, kvHeads: 1, causal: true, starts: null, keyMask: null };
const query = (rows: number) => tf.tensor2d(floats([rows, 16], 1).values, [rows, 16]);
const cache = (keys: number, seed: number) => tf.tensor3d(floats([1, keys, 8], seed).values, [1, keys, 8]);

forEachBackend((name, device) => {
  test('equals attention written out in plain arithmetic', async () => {
    const rows = 6;
    const [q, k, v] = [query(rows), cache(rows, 2), cache(rows, 3)];
    const output = attention(q, k, v, plain);
    const [qs, ks, vs] = [floats([rows, 16], 1).values, floats([1, rows, 8], 2).values, floats([1, rows, 8], 3).values];
    const values = await device().read(output);
    for (let t = 0; t < rows; t++) {
      for (let h = 0; h < 2; h++) {
        const weights = Array.from({ length: t + 1 }, (_, s) => {
          let dot = 0;
          for (let d = 0; d < 8; d++) dot += qs[16 * t + 8 * h + d]! * ks[8 * s + d]!;
          return Math.exp(dot / Math.sqrt(8));
        });
        const sum = weights.reduce((a, b) => a + b);
        for (let d = 0; d < 8; d++) {
          const expected = weights.reduce((total, w, s) => total + (w / sum) * vs[8 * s + d]!, 0);
          expect(values[16 * t + 8 * h + d]).toBeCloseTo(expected, 5);
        }
      }
    }
    tf.dispose([q, k, v, output]);
  });

  // One row takes the decode path, here with its keys in two runs, six the tiled one.
  test.each([1, 6])('%i rows: scores in the hundreds neither overflow nor vanish', async (rows) => {
    const keys = 300;
    // The query is (s, 0, …): key 270 has the highest score, 200 more than the next, and key 5 the lowest, −400.
    const loud = (at: number) => (at === 270 ? 400 : at === 5 ? -400 : 200);
    const output = tf.tidy(() => {
      const q = tf.tensor2d(
        Float32Array.from({ length: rows * 16 }, (_, i) => (i % 8 === 0 ? Math.sqrt(8) : 0)),
        [rows, 16],
      );
      const k = tf.tensor3d(
        Float32Array.from({ length: keys * 8 }, (_, i) => (i % 8 === 0 ? loud(i / 8) : 0)),
        [1, keys, 8],
      );
      return attention(q, k, cache(keys, 3), { ...plain, causal: false });
    });
    const wanted = floats([1, keys, 8], 3).values.slice(270 * 8, 271 * 8);
    const values = await device().read(output);
    for (let i = 0; i < values.length; i++) expect(values[i]).toBeCloseTo(wanted[i % 8]!, 5);
    output.dispose();
  });

  // One row takes the decode path, six the tiled one.
  test.each([1, 6])('%i rows: what lies behind the valid keys of a cache does not matter', async (rows) => {
    // The stock products of the other backends multiply hidden keys by zero, and no cache of theirs has room behind the valid ones.
    const outputs = [0, name === 'webgpu' ? NaN : 1e30].map((garbage) =>
      tf.tidy(() => {
        const filled = (seed: number) => tf.concat([cache(9, seed), tf.fill([1, 25, 8], garbage)], 1) as tf.Tensor3D;
        const starts = tf.tensor1d([9 - rows], 'int32');
        return attention(query(rows), filled(2), filled(3), { ...plain, starts });
      }),
    );
    const [clean, dirty] = await Promise.all(outputs.map((output) => device().read(output)));
    expect(dirty).toEqual(clean);
    tf.dispose(outputs);
  });

  test.each([1, 6])('%i rows: a row that sees nothing gives zeros, in gradients too', async (rows) => {
    const results = tf.tidy(() => {
      const keyMask = tf.zeros<tf.Rank.R2>([1, 9], 'int32');
      const compute = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
        attention(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, { ...plain, causal: false, keyMask });
      const inputs = [query(rows), cache(9, 2), cache(9, 3)];
      const gradients = tf.grads((...given) => compute(given[0]!, given[1]!, given[2]!).sum() as tf.Scalar)(inputs);
      return [compute(inputs[0]!, inputs[1]!, inputs[2]!), ...gradients];
    });
    for (const result of results) expect((await device().read(result)).every((value) => value === 0)).toBe(true);
    tf.dispose(results);
  });

  test('no keys at all give zeros', async () => {
    const output = tf.tidy(() => attention(query(2), tf.zeros([1, 0, 8]), tf.zeros([1, 0, 8]), { ...plain, causal: false }));
    expect([...(await device().read(output))]).toEqual(new Array(32).fill(0));
    output.dispose();
  });

  if (name === 'webgpu') {
    test('one pipeline serves every length', async () => {
      const gpu = (tf.backend() as unknown as { device: GPUDevice }).device;
      const compiled = vi.spyOn(gpu, 'createComputePipeline');
      const lengths = [
        [5, 5],
        [8, 8],
        [16, 16],
        [31, 70],
      ] as const;
      for (const [rows, keys] of lengths) {
        await device().read(tf.tidy(() => attention(query(rows), cache(keys, 2), cache(keys, 3), { ...plain, causal: false })));
        if (rows === 5) compiled.mockClear();
      }
      expect(compiled).not.toHaveBeenCalled();
      compiled.mockRestore();
    });
  }
});

describe('shapes that disagree', () => {
  forEachBackend(() => {
    test('are an error that names them', () => {
      tf.tidy(() => {
        expect(() => attention(query(2), cache(3, 2), cache(4, 3), plain)).toThrow('attention: v is [1,4,8]');
        expect(() => attention(query(2), cache(3, 2), cache(3, 3), { ...plain, heads: 3, kvHeads: 2 })).toThrow('3 heads over 2');
        const wide = tf.zeros<tf.Rank.R3>([1, 3, 257]);
        expect(() => attention(tf.zeros([2, 257]), wide, wide, { ...plain, heads: 1 })).toThrow('head width 257');
      });
    });
  }, ['cpu']);
});
