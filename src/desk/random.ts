/**
 * Seeded random numbers: xoshiro128** (Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021), its
 * state filled by splitmix32. Integer arithmetic only, so every engine gives the same numbers; not for secrets.
 */
export class Random {
  readonly #state = new Uint32Array(4);

  /**
   * @param seed any safe integer
   * @param stream independent sequences of one seed, e.g. the number of a picture
   */
  constructor(seed: number, stream = 0) {
    let mixed = 0;
    for (const word of [seed, Math.floor(seed / 2 ** 32), stream, Math.floor(stream / 2 ** 32)]) {
      mixed = splitmix32((mixed ^ word) >>> 0);
    }
    for (let i = 0; i < 4; i++) {
      this.#state[i] = splitmix32((mixed + Math.imul(i, 0x9e3779b9)) >>> 0);
    }
    // The one forbidden state; practically unreachable.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const a = s2 ^ s0;
    const b = s3 ^ s1;
    s[1] = s1 ^ a;
    s[0] = s0 ^ b;
    s[2] = a ^ (s1 << 9);
    s[3] = rotate(b, 11);
    return result;
  }

  /** Uniform in [0, 1), 53 bits. */
  random(): number {
    return ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
  }

  /** Uniform whole number, `low` and `high` included (high − low < 2³²); without modulo bias. */
  randint(low: number, high: number): number {
    const span = high - low + 1;
    if (!(span >= 1 && span <= 2 ** 32)) throw new RangeError(`randint(${low}, ${high}): empty range`);
    const limit = 2 ** 32 - (2 ** 32 % span);
    let bits = this.bits();
    while (bits >= limit) bits = this.bits();
    return low + (bits % span);
  }

  choice<T>(items: ArrayLike<T>): T {
    return items[this.randint(0, items.length - 1)] as T;
  }

  /** One of `items`, each with its weight (≥ 0, not all 0). */
  weighted<T>(items: readonly T[], weights: readonly number[]): T {
    let left = this.random() * weights.reduce((sum, w) => sum + w, 0);
    let last = -1;
    for (let i = 0; i < items.length; i++) {
      const weight = weights[i] ?? 0;
      if (weight <= 0) continue;
      last = i;
      left -= weight;
      if (left < 0) break;
    }
    if (last < 0) throw new RangeError('weighted: nothing to choose from');
    return items[last] as T;
  }

  /** In place (Fisher–Yates); returns its argument. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.randint(0, i);
      const moved = items[i] as T;
      items[i] = items[j] as T;
      items[j] = moved;
    }
    return items;
  }

  /** `count` different items in random order. */
  sample<T>(items: ArrayLike<T>, count: number): T[] {
    if (count > items.length) throw new RangeError(`sample: ${count} of ${items.length}`);
    return this.shuffle(Array.from(items)).slice(0, count);
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function splitmix32(value: number): number {
  let z = (value + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
