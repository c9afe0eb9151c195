import { expect, test } from 'vitest';
import { median } from './median.ts';

test('the median of an even and an odd number of samples, and of none', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 10, 2])).toBe(3);
  expect(() => median([])).toThrow(RangeError);
});
