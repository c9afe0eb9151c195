import { NvlmError } from '../errors.ts';

export interface Sampling {
  /** 0 = greedy */
  temperature: number;
  /** Keep the k likeliest tokens; absent or 0 = all. */
  topK?: number;
  /** Keep the likeliest tokens whose probabilities reach p; absent or 1 = all. */
  topP?: number;
  /** Divides positive and multiplies negative logits of tokens already in the sequence (CTRL); 1 = off. */
  repetitionPenalty?: number;
  /** Equal seeds give equal texts; absent = a new one each time. */
  seed?: number;
}

/** @throws NvlmError `usage` for values outside their range. */
export function checkSampling(sampling: Sampling): void {
  const { temperature, topK = 0, topP = 1, repetitionPenalty = 1 } = sampling;
  const complain = (what: string, fix: string) => new NvlmError('usage', `${what}.`, fix);
  if (!(temperature >= 0 && temperature <= 10)) throw complain(`Temperature ${temperature} is not between 0 and 10`, 'Use 0 for greedy answers, 0.7 for varied ones.');
  if (!(Number.isInteger(topK) && topK >= 0)) throw complain(`Top-k ${topK} is not a whole number from 0`, 'Use 0 to keep all tokens.');
  if (!(topP > 0 && topP <= 1)) throw complain(`Top-p ${topP} is not above 0 and at most 1`, 'Use 1 to keep all tokens.');
  if (!(repetitionPenalty > 0 && repetitionPenalty <= 10)) {
    throw complain(`Repetition penalty ${repetitionPenalty} is not above 0 and at most 10`, 'Use 1 to switch it off.');
  }
}

/**
 * Picks the next token from logits [V], in the order Hugging Face applies its processors: repetition penalty, temperature, top-k, top-p.
 */
export class Sampler {
  private readonly random: () => number;

  constructor(
    private readonly sampling: Sampling,
    /** Ids that are never picked: the image placeholder. */
    readonly banned: readonly number[],
  ) {
    checkSampling(sampling);
    this.random = mulberry32(sampling.seed ?? Math.floor(Math.random() * 2 ** 32));
  }

  /**
   * @param logits [V]; changed in place
   * @param seen ids of the sequence so far, for the repetition penalty
   * @throws NvlmError `not-a-number` when a logit is NaN, so that broken arithmetic never turns into text
   */
  next(logits: Float32Array, seen: Iterable<number>): number {
    for (const id of this.banned) logits[id] = -Infinity;
    const { temperature, repetitionPenalty = 1 } = this.sampling;
    if (repetitionPenalty !== 1) {
      for (const id of new Set(seen)) {
        const logit = logits[id];
        if (logit !== undefined) logits[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    const best = argmax(logits);
    if (temperature === 0) return best;
    return this.draw(logits, logits[best]!, temperature);
  }

  /** What a step that picks its token on the device needs for the next one; takes the next random number, as {@link next} would. */
  stepValues(): { temperature: number; topK: number; topP: number; repetitionPenalty: number; random: number } {
    const { temperature, topK = 0, topP = 1, repetitionPenalty = 1 } = this.sampling;
    return { temperature, topK, topP, repetitionPenalty, random: temperature > 0 ? this.random() : 0 };
  }

  private draw(logits: Float32Array, top: number, temperature: number): number {
    const { topK = 0, topP = 1 } = this.sampling;
    let candidates = Array.from(logits, (logit, id) => ({ id, weight: Math.exp((logit - top) / temperature) }));
    if (topK > 0 || topP < 1) candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
    if (topK > 0) candidates = candidates.slice(0, topK);
    let total = candidates.reduce((sum, { weight }) => sum + weight, 0);
    if (topP < 1) {
      const wanted = total * topP;
      let reached = 0;
      const enough = candidates.findIndex(({ weight }) => (reached += weight) >= wanted);
      candidates = candidates.slice(0, enough < 0 ? candidates.length : enough + 1);
      total = reached;
    }
    let left = this.random() * total;
    for (const { id, weight } of candidates) {
      left -= weight;
      if (left < 0) return id;
    }
    return candidates.at(-1)!.id;
  }
}

export function notANumber(): NvlmError {
  return new NvlmError(
    'not-a-number',
    'The model computed a value that is not a number.',
    'Load the model again; if it stays, its weights are damaged or the device miscomputes: try another backend.',
  );
}

/** Index of the largest value, the first of equals. */
function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (Number.isNaN(logit)) {
      throw notANumber();
    }
    if (logit > logits[best]!) best = id;
  }
  return best;
}

/** Small, fast, seedable generator of [0, 1) with 32 bits of state (Tommy Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
