import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { floatToHalf, packHalves } from '../../numbers/half.ts';
import { floats, quantised } from '../op-case.ts';
import type { LinearWeight } from '../types.ts';
import { linear } from './linear.ts';

testOpCases('linear');

/** Tiles reach past the ends of rows and columns. What lies there belongs to others, and zero times infinity is not zero. */
describe('infinities and NaN stay in their own row and column', () => {
  const [BAD_ROW, BAD_COLUMN] = [1, 2];
  const outFeatures = 6;

  /** The same weight with or without a bad column; 35 and 160 do not fill tiles of 16, 32 or 128. */
  function weightOf(kind: 'f32' | 'f16' | 4 | 8, bad: number | null, side: 'in' | 'out' = 'out'): LinearWeight {
    if (kind === 4 || kind === 8) {
      const inFeatures = 160;
      const { words, scales, biases } = quantised(outFeatures, inFeatures, kind, 32, 3);
      if (bad !== null) biases.values.fill(bad, (BAD_COLUMN * inFeatures) / 32, ((BAD_COLUMN + 1) * inFeatures) / 32);
      const [data, s, b] = [words, scales, biases].map(
        ({ values, shape, dtype }) => tf.tensor<tf.Rank>(values, shape, dtype) as tf.Tensor2D,
      );
      return { kind: 'affine', bits: kind, groupSize: 32, inFeatures, outFeatures, data: data!, scales: s!, biases: b! };
    }
    const inFeatures = 35;
    const values = floats([outFeatures, inFeatures], 2).values;
    values.forEach((_, i) => {
      const place = side === 'out' ? Math.floor(i / inFeatures) : i % inFeatures;
      if (bad !== null && place === BAD_COLUMN) values[i] = bad;
    });
    if (kind === 'f32') return { kind, inFeatures, outFeatures, data: tf.transpose(tf.tensor2d(values, [outFeatures, inFeatures])) };
    const packed = packHalves(Uint16Array.from(values, floatToHalf), outFeatures, inFeatures);
    return { kind, inFeatures, outFeatures, data: tf.tensor2d(packed, [outFeatures, packed.length / outFeatures], 'int32') };
  }

  /** A tensor [rows, columns] with one row of it bad. */
  function withBadRow(rows: number, columns: number, bad: number | null): tf.Tensor2D {
    const values = floats([rows, columns], 1).values;
    if (bad !== null) values.fill(bad, BAD_ROW * columns, (BAD_ROW + 1) * columns);
    return tf.tensor2d(values, [rows, columns]);
  }

  forEachBackend(
    (_, device) => {
      // 3 rows take the programs for few rows, 19 the tiled ones.
      test.each((['f32', 'f16', 4, 8] as const).flatMap((kind) => [3, 19].map((rows) => [kind, rows] as const)))(
        '%s weight, %i rows',
        async (kind, rows) => {
          const run = async (bad: number | null) => {
            const results = tf.tidy(() => {
              const weight = weightOf(kind, bad);
              const { inFeatures } = weight;
              const x = withBadRow(rows, inFeatures, bad);
              const clean = weightOf(kind, null);
              // The gradient to x reads the weight the other way, so its bad column is that of a feature of x.
              const crossed = kind === 'f32' || kind === 'f16' ? weightOf(kind, bad, 'in') : clean;
              const dy = withBadRow(rows, outFeatures, bad);
              const gradientOf = (input: tf.Tensor2D) =>
                tf.grad((given) =>
                  linear(given as tf.Tensor2D, crossed, null)
                    .mul(dy)
                    .sum(),
                )(input);
              const y = linear(x, weight, null);
              const dx = gradientOf(withBadRow(rows, inFeatures, null));
              if (clean.kind !== 'f32') return [y, dx];
              // A bad feature of x and a bad column of dy reach one row and one column of the weight's gradient.
              const columnwise = (columns: number) => tf.transpose(withBadRow(columns, rows, bad)) as tf.Tensor2D;
              const dw = tf.grad((given) =>
                linear(columnwise(inFeatures), { ...clean, data: given as tf.Tensor2D }, null)
                  .mul(columnwise(outFeatures))
                  .sum(),
              )(clean.data);
              return [y, dx, dw];
            });
            const values = await Promise.all(results.map((result) => device().read(result)));
            tf.dispose(results);
            return values;
          };
          const clean = await run(null);
          for (const bad of [Infinity, NaN]) {
            const dirty = await run(bad);
            const spoilt = (which: number, row: number, column: number) =>
              [row === BAD_ROW || column === BAD_COLUMN, row === BAD_ROW || column === BAD_COLUMN, row === BAD_ROW || column === BAD_ROW][
                which
              ]!;
            dirty.forEach((values, which) => {
              const width = which === 1 ? values.length / rows : outFeatures;
              values.forEach((value, i) => {
                if (!spoilt(which, Math.floor(i / width), i % width)) expect(value, `result ${which}, ${i}`).toBe(clean[which]![i]);
              });
            });
          }
        },
      );
    },
    ['webgpu'],
  );
});

describe('frozen weights', () => {
  forEachBackend(() => {
    test('cost no gradient', async () => {
      const x = tf.ones<tf.Rank.R2>([3, 4]);
      const weight = tf.ones<tf.Rank.R2>([4, 5]);
      const data = { kind: 'f32', inFeatures: 4, outFeatures: 5, data: weight } as const;
      const profile = await tf.profile(() => tf.grad((input) => linear(input as tf.Tensor2D, data, null).sum())(x));
      expect(profile.kernelNames).toContain('NvlmTimesTransposed');
      expect(profile.kernelNames).not.toContain('NvlmTransposedTimes');
    });
  }, ['cpu']);
});

describe('shapes that disagree', () => {
  forEachBackend(() => {
    test('are an error that names them', () => {
      tf.tidy(() => {
        const data = tf.ones<tf.Rank.R2>([4, 5]);
        const weight = { kind: 'f32', inFeatures: 4, outFeatures: 5, data } as const;
        expect(() => linear(tf.ones([3, 6]), weight, null)).toThrow('linear: x is [3,6], expected [*,4]');
        expect(() => linear(tf.ones([3, 4]), weight, tf.ones([4]))).toThrow('linear: bias is [4], expected [5]');
        expect(() => linear(tf.ones([3, 4]), { ...weight, kind: 'f16' }, null)).toThrow('packed weight');
      });
    });
  }, ['cpu']);
});
