import { describe, expect, it } from 'vitest';
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
