import { expect, it } from 'vitest';
import { learningRate, type ScheduleShape } from './schedule.ts';

const rates = (shape: ScheduleShape, warmup = 2) =>
  [0, 1, 2, 6, 10].map((step) => learningRate(step, { lr: 1, minLr: 0.2, warmup, shape }, 10));

it('warms up linearly and falls to the minimum, in each shape', () => {
  expect(rates('cosine')).toEqual([0.5, 1, 1, expect.closeTo(0.6, 12), expect.closeTo(0.2, 12)]);
  expect(rates('linear')).toEqual([0.5, 1, 1, expect.closeTo(0.6, 12), expect.closeTo(0.2, 12)]);
  expect(learningRate(4, { lr: 1, minLr: 0, warmup: 2, shape: 'linear' }, 10)).toBeCloseTo(0.75, 12);
  expect(learningRate(4, { lr: 1, minLr: 0, warmup: 2, shape: 'cosine' }, 10)).toBeCloseTo(0.5 * (1 + Math.SQRT1_2), 12);
  expect(rates('constant')).toEqual([0.5, 1, 1, 1, 1]);
  expect(rates('constant', 0)[0]).toBe(1);
});

it('stays a number when the warm-up is as long as the run', () => {
  expect(learningRate(10, { lr: 1, minLr: 0.1, warmup: 10, shape: 'cosine' }, 10)).toBe(1);
});
