import { describe, expect, it } from 'vitest';
import { Batches, type BatchOptions } from './batches.ts';

const plain: BatchOptions = { batch: 3, shuffle: false, seed: 1, bucket: false, blendRatio: 0 };
const lengths = (count: number) => Array.from({ length: count }, (_, i) => (i * 37) % 101);

function take(batches: Batches, steps: number): number[] {
  return Array.from({ length: steps }, (_, step) => batches.at(step)).flat();
}

describe('Batches', () => {
  it('goes through the records in order, round and round', () => {
    expect(take(new Batches(lengths(7), [], plain), 4)).toEqual([0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4]);
  });

  it('shuffles every epoch apart, each record once, the same whenever it is asked', () => {
    const make = (seed = 1) => new Batches(lengths(12), [], { ...plain, shuffle: true, seed });
    const order = take(make(), 8);
    const [first, second] = [order.slice(0, 12), order.slice(12)];
    for (const epoch of [first, second]) expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(first).not.toEqual(second);
    expect(take(make(2), 8)).not.toEqual(order);
    const late = make();
    expect([7, 0, 3].map((step) => late.at(step))).toEqual([7, 0, 3].map((step) => order.slice(3 * step, 3 * step + 3)));
  });

  it('blends in at its ratio, over any stretch', () => {
    const drawn = take(new Batches(lengths(10), lengths(4), { ...plain, shuffle: true, blendRatio: 0.25 }), 40);
    expect(drawn.filter((index) => index >= 10)).toHaveLength(30);
    const counts = [10, 11, 12, 13].map((index) => drawn.filter((drawnIndex) => drawnIndex === index).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('blends in without leaving out a record of either pool', () => {
    const drawn = take(new Batches(lengths(6), lengths(3), { ...plain, blendRatio: 0.25 }), 4);
    expect(drawn.filter((index) => index < 6)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2]);
    expect(drawn.filter((index) => index >= 6)).toEqual([6, 7, 8]);
  });

  it('puts like lengths together and leaves nothing out', () => {
    const own = lengths(48);
    const spread = (bucket: boolean) => {
      const batches = new Batches(own, [], { ...plain, shuffle: true, bucket });
      const steps = Array.from({ length: 16 }, (_, step) => batches.at(step));
      expect(steps.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 48 }, (_, i) => i));
      const range = (batch: number[]) => Math.max(...batch.map((i) => own[i]!)) - Math.min(...batch.map((i) => own[i]!));
      return steps.reduce((sum, batch) => sum + range(batch), 0);
    };
    expect(spread(true)).toBeLessThan(spread(false) / 5);
  });
});
