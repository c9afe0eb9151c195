import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { linear } from './linear.ts';

testOpCases('linear');

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
