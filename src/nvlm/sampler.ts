import { NvlmError } from '../errors.ts';
import { seededNumbers } from '../numbers/random.ts';

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
  if (!(temperature >= 0 && temperature <= 10))
    throw complain(`Temperature ${temperature} is not between 0 and 10`, 'Use 0 for greedy answers, 0.7 for varied ones.');
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
  /** Kept from token to token: fresh memory costs as much as filling it. */
  private room: Room = { weights: new Float64Array(), bucketOf: new Uint16Array() };

  constructor(
    private readonly sampling: Sampling,
    /** Ids that are never picked: the image placeholder. */
    readonly banned: readonly number[],
  ) {
    checkSampling(sampling);
    this.random = seededNumbers(sampling.seed ?? Math.floor(Math.random() * 2 ** 32));
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
    if (this.room.weights.length !== logits.length) {
      this.room = { weights: new Float64Array(logits.length), bucketOf: new Uint16Array(logits.length) };
    }
    if (topK === 0 && topP === 1) return this.drawFromAll(logits, top, temperature);
    const most = topK > 0 ? Math.min(topK, logits.length) : logits.length;
    const ranked = new RankedWeights(logits, top, temperature, most, this.room);
    let kept = ranked.first((count) => count >= most);
    if (topP < 1) {
      const wanted = kept.weight * topP;
      kept = ranked.first((count, weight) => weight >= wanted || count >= most);
    }
    const drawn = this.random() * kept.weight;
    return ranked.first((count, weight) => weight > drawn || count >= kept.count).id;
  }

  private drawFromAll(logits: Float32Array, top: number, temperature: number): number {
    const { weights } = this.room;
    let left = 0;
    for (let id = 0; id < logits.length; id++) left += weights[id] = Math.exp((logits[id]! - top) / temperature);
    left *= this.random();
    let last = 0;
    for (let id = 0; id < weights.length; id++) {
      left -= weights[id]!;
      if (left < 0) return id;
      if (weights[id]! > 0) last = id;
    }
    return last;
  }
}

/** Places for a number a token. */
interface Room {
  /** exp((logit − top) / temperature): probabilities but for a common factor. */
  weights: Float64Array;
  bucketOf: Uint16Array;
}

const MOST_BUCKETS = 4096;
const TOKENS_PER_BUCKET = 8;
/** Tokens less likely than the likeliest by more than this factor's logarithm are not told apart by buckets. */
const DEEPEST = 40;

/** A token in the order of falling probability: itself, and how many and how much come up to it, it included. */
interface Ranked {
  id: number;
  count: number;
  weight: number;
}

/**
 * The weights of all tokens in falling order, equal ones by id, without sorting them all: they are laid into buckets, of which only
 * those are sorted that a search ends in.
 */
class RankedWeights {
  private readonly weights: Float64Array;
  private readonly bucketOf: Uint16Array;
  private readonly counts: Int32Array;
  private readonly sums: Float64Array;
  /** The last bucket that is looked into. */
  private readonly last: number;
  private readonly sortedBuckets = new Map<number, number[]>();

  /** @param most how many tokens are asked for at most: the weights of the rest are not computed */
  constructor(logits: Float32Array, top: number, temperature: number, most: number, { weights, bucketOf }: Room) {
    this.weights = weights;
    this.bucketOf = bucketOf;
    const tokens = logits.length;
    const buckets = Math.min(MOST_BUCKETS, Math.ceil(tokens / TOKENS_PER_BUCKET));
    const counts = (this.counts = new Int32Array(buckets));
    let least = top;
    for (let id = 0; id < tokens; id++) {
      const logit = logits[id]!;
      if (logit < least && logit > -Infinity) least = logit;
    }
    const range = Math.min(top - least, DEEPEST * temperature);
    const perLogit = range > 0 ? (buckets - 1) / range : 0;
    for (let id = 0; id < tokens; id++) {
      const depth = top - logits[id]!;
      const bucket = depth > range ? buckets - 1 : (depth * perLogit) | 0;
      bucketOf[id] = bucket;
      counts[bucket]!++;
    }
    let last = 0;
    for (let count = counts[0]!; count < most && last < buckets - 1; count += counts[last]!) last++;
    while (counts[last] === 0) last--;
    this.last = last;
    const sums = (this.sums = new Float64Array(buckets));
    for (let id = 0; id < tokens; id++) {
      const bucket = bucketOf[id]!;
      if (bucket > last) continue;
      const weight = Math.exp((logits[id]! - top) / temperature);
      weights[id] = weight;
      sums[bucket]! += weight;
    }
  }

  /** The first token at which `reached`, of the count and the weight so far, which only grow, is true; the last where it never is. */
  first(reached: (count: number, weight: number) => boolean): Ranked {
    const at: Ranked = { id: 0, count: 0, weight: 0 };
    const { last } = this;
    for (let bucket = 0; bucket <= last; bucket++) {
      const [count, weight] = [at.count + this.counts[bucket]!, at.weight + this.sums[bucket]!];
      if (bucket < last && !reached(count, weight)) {
        at.count = count;
        at.weight = weight;
        continue;
      }
      for (const id of this.sorted(bucket)) {
        at.id = id;
        at.count++;
        at.weight += this.weights[id]!;
        if (reached(at.count, at.weight)) return at;
      }
    }
    return at;
  }

  private sorted(bucket: number): number[] {
    const found = this.sortedBuckets.get(bucket);
    if (found) return found;
    const { weights, bucketOf } = this;
    const ids: number[] = [];
    for (let id = 0; id < bucketOf.length; id++) if (bucketOf[id] === bucket) ids.push(id);
    ids.sort((a, b) => weights[b]! - weights[a]! || a - b);
    this.sortedBuckets.set(bucket, ids);
    return ids;
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
