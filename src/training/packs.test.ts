import { expect, it } from 'vitest';
import { packsOf } from './packs.ts';

it('puts the records of a picture together, up to eight, at the place of the first', () => {
  expect(packsOf(['a', null, 'b', 'a', null, 'b'])).toEqual([[0, 3], [1], [2, 5], [4]]);
  expect(packsOf(Array.from({ length: 10 }, () => 'a'))).toEqual([
    [0, 1, 2, 3, 4, 5, 6, 7],
    [8, 9],
  ]);
  expect(packsOf([])).toEqual([]);
});
