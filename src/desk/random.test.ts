import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';

describe('Random', () => {
  it('gives the numbers of an independent implementation of xoshiro128** seeded by splitmix32', () => {
    const five = (seed: number, stream?: number) => {
      const rng = new Random(seed, stream);
      return Array.from({ length: 3 }, () => rng.bits());
    };
    expect(five(1)).toEqual([1666298732, 1282428449, 2284022421]);
    expect(five(-5, 3)).toEqual([1671066642, 3121440297, 496119643]);
    expect(five(2 ** 40 + 7, 2)).toEqual([2490000488, 1787439547, 2394020864]);
  });

  it('spreads whole numbers evenly and includes both ends', () => {
    const rng = new Random(3);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) {
      const at = rng.randint(-3, 3) + 3;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    const chiSquare = counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(22.5); // 6 degrees of freedom, p = 0.001
  });

  it('weighs choices', () => {
    const rng = new Random(4);
    const drawn = Array.from({ length: 20_000 }, () => rng.weighted(['a', 'b', 'c'], [3, 0, 1]));
    expect(drawn.filter((x) => x === 'b')).toHaveLength(0);
    expect(drawn.filter((x) => x === 'a').length / drawn.length).toBeCloseTo(0.75, 1);
  });

  it('samples without repeating', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 20 }), (seed, count) => {
        const sample = new Random(seed).sample(
          Array.from({ length: 20 }, (_, i) => i),
          count,
        );
        expect(new Set(sample).size).toBe(count);
        expect(sample.every((n) => n >= 0 && n < 20)).toBe(true);
      }),
    );
  });

  it('refuses empty ranges', () => {
    expect(() => new Random(1).randint(2, 1)).toThrow(RangeError);
    expect(() => new Random(1).choice([])).toThrow(RangeError);
    expect(() => new Random(1).sample([1], 2)).toThrow(RangeError);
    expect(() => new Random(1).weighted(['a'], [0])).toThrow(RangeError);
  });
});
