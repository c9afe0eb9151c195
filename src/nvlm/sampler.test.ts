import { describe, expect, it } from 'vitest';
import { seededNumbers } from '../numbers/random.ts';
import { Sampler, type Sampling } from './sampler.ts';

const LOGITS = [0, 3, 1, 2.9, -1];

function draw(sampling: Sampling, { banned = [] as number[], seen = [] as number[], logits = LOGITS, times = 2000 } = {}): number[] {
  const sampler = new Sampler({ seed: 1, ...sampling }, banned);
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < times; i++) counts[sampler.next(Float32Array.from(logits), seen)]!++;
  return counts.map((count) => count / times);
}

describe('Sampler', () => {
  it('takes the likeliest token at temperature 0, the first of equals', () => {
    expect(draw({ temperature: 0 })).toEqual([0, 1, 0, 0, 0]);
    expect(draw({ temperature: 0 }, { logits: [2, 5, 5] })).toEqual([0, 1, 0]);
  });

  it('draws in proportion to the softmax at the temperature', () => {
    const weights = LOGITS.map((logit) => Math.exp(logit / 2));
    const total = weights.reduce((a, b) => a + b);
    draw({ temperature: 2 }, { times: 20_000 }).forEach((share, id) => expect(share).toBeCloseTo(weights[id]! / total, 1));
  });

  it('keeps the k likeliest', () => {
    const shares = draw({ temperature: 1, topK: 2 });
    expect(shares[1]! + shares[3]!).toBe(1);
    expect(shares[3]).toBeGreaterThan(0.3);
  });

  it('keeps the smallest set whose probabilities reach p', () => {
    // Probabilities: 0.026, 0.517, 0.070, 0.468 → 1 and 3 hold 0.95 after the four are normalised.
    expect(draw({ temperature: 1, topP: 0.4 })).toEqual([0, 1, 0, 0, 0]);
    const shares = draw({ temperature: 1, topP: 0.6 });
    expect(shares[1]! + shares[3]!).toBe(1);
    expect(shares[3]).toBeGreaterThan(0.3);
  });

  it('makes repeated tokens less likely, negative logits too', () => {
    expect(draw({ temperature: 0, repetitionPenalty: 1.5 }, { seen: [1] })).toEqual([0, 0, 0, 1, 0]);
    expect(draw({ temperature: 0, repetitionPenalty: 2 }, { seen: [0, 0], logits: [-1, -1.5] })).toEqual([0, 1]);
  });

  it('repeats itself with the same seed and not with another', () => {
    const run = (seed: number) => {
      const sampler = new Sampler({ temperature: 1, seed }, []);
      return Array.from({ length: 40 }, () => sampler.next(Float32Array.from(LOGITS), []));
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  it('never picks a banned token', () => {
    expect(draw({ temperature: 0 }, { banned: [1] })).toEqual([0, 0, 0, 1, 0]);
    expect(draw({ temperature: 1 }, { banned: [1, 3] })[1]).toBe(0);
  });

  // By sorting all candidates, as the sampler did before it was made fast.
  const plainly = (logits: Float32Array, { temperature, topK = 0, topP = 1 }: Sampling, random: number): number => {
    const top = Math.max(...logits);
    let candidates = Array.from(logits, (logit, id) => ({ id, weight: Math.exp((logit - top) / temperature) }));
    if (topK > 0 || topP < 1) candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
    if (topK > 0) candidates = candidates.slice(0, topK);
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
    let reached = 0;
    if (topP < 1) candidates = candidates.slice(0, candidates.findIndex(({ weight }) => (reached += weight) >= total * topP) + 1);
    let left = random * candidates.reduce((sum, { weight }) => sum + weight, 0);
    return candidates.find(({ weight }) => (left -= weight) < 0)!.id;
  };

  it.each<Sampling>([
    { temperature: 1 },
    { temperature: 0.7, topP: 0.9 },
    { temperature: 10, topP: 0.999 },
    { temperature: 1, topK: 40 },
    { temperature: 1.5, topK: 1000, topP: 0.8 },
    { temperature: 0.01, topP: 0.5 },
  ])('draws what sorting everything draws: %o', (sampling) => {
    const shapes = [
      (x: number) => 20 * x,
      (x: number) => -Math.log(x + 1e-9),
      () => 1,
      (x: number) => (x < 0.01 ? -Infinity : Math.round(5 * x)),
    ];
    for (const shape of shapes) {
      const numbers = seededNumbers(3);
      const logits = Float32Array.from({ length: 3000 }, () => shape(numbers()));
      for (let seed = 0; seed < 6; seed++) {
        const random = seededNumbers(seed)();
        expect(new Sampler({ ...sampling, seed }, []).next(logits.slice(), [])).toBe(plainly(logits, sampling, random));
      }
    }
  });

  it('takes milliseconds over a vocabulary of 151 000, whatever the setting', () => {
    const numbers = seededNumbers(1);
    const logits = Float32Array.from({ length: 151_936 }, () => 8 * numbers() + 4 * numbers());
    const settings: Sampling[] = [
      { temperature: 1 },
      { temperature: 1, topP: 0.95 },
      { temperature: 10, topP: 0.9, topK: 50_000, repetitionPenalty: 1.1 },
    ];
    for (const sampling of settings) {
      const sampler = new Sampler(sampling, []);
      const times = Array.from({ length: 9 }, () => {
        const cpu = process.cpuUsage();
        sampler.next(logits.slice(), [1, 2, 3]);
        return process.cpuUsage(cpu).user / 1000;
      });
      // On a quiet machine it takes 3; a busy one must not fail, and sorting, which took 186, must.
      expect(times.sort((a, b) => a - b)[4]).toBeLessThan(40);
    }
  });

  it('refuses to answer from values that are not numbers', () => {
    expect(() => draw({ temperature: 0 }, { logits: [1, NaN] })).toThrow(expect.objectContaining({ code: 'not-a-number' }));
  });

  it.each<Sampling>([
    { temperature: -1 },
    { temperature: NaN },
    { temperature: 1, topK: 1.5 },
    { temperature: 1, topP: 0 },
    { temperature: 1, topP: 2 },
    { temperature: 1, repetitionPenalty: 0 },
  ])('refuses %o', (sampling) => {
    expect(() => new Sampler(sampling, [])).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
