import { expect, it } from 'vitest';
import { seededNumbers } from '../../numbers/random.ts';
import { productRate } from './product-rate.ts';

/** Timings on a machine that takes so many milliseconds for one product. */
const machine = (takes: (operations: number) => number) => async (side: number, times: number) =>
  Array.from({ length: times }, () => takes(2 * side ** 3));

it('is that of a free processor though other programs have nine of ten turns of it', async () => {
  const next = seededNumbers(1);
  const turnMs = 3;
  const busy = machine((operations) => {
    const needed = operations / 25e6;
    // It begins anywhere in a turn, and waits for nine others whenever one ends.
    return needed + 9 * turnMs * Math.floor(next() + needed / turnMs);
  });
  expect((await productRate(busy)) / 25e9).toBeCloseTo(1);
});

it('is that of large products where each is slow to begin', async () => {
  expect(await productRate(machine((operations) => 1 + operations / 1e9))).toBeGreaterThan(1e11);
});
