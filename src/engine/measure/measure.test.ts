import { expect, it } from 'vitest';
import { busyTimes } from './measure.ts';

it('tells the first step of an answer, which records, from those behind it', () => {
  expect(busyTimes([500, 3, 1, 8, 0.1])).toEqual({ first: 500, step: 3, least: 1 });
  expect(busyTimes([7])).toEqual({ first: 7, step: 7, least: 7 });
});
