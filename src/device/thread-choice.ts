/** Threads beyond so many bring little: what they share, memory and its bandwidth, does not grow. */
export const MOST_THREADS = 16;

/** So long a choice of more threads holds before it is looked at again. */
const HOLDS_MS = 5000;
/** That of one, and each time that it is confirmed twice as long, up to a bound: the first may have met threads that were not warm yet. */
const ONE_HOLDS_MS = 500;
const ONE_HOLDS_AT_MOST_MS = 80_000;
/** So much work, in products, is timed in a row on one number of threads: a millisecond or two, as many calls as that takes. */
export const TIMED_WORK = 20_000_000;
/** So often each number of threads is timed; its median counts. */
const ROUNDS = 3;
/** Threads are worth it from so much less time on: they take cores from everybody else. */
const WORTH = 0.9;
/** How fast what a call is expected to take follows calls that are slower. */
const SLOWER = 1.05;

/**
 * How many threads a kernel runs on, by what its calls take on all, on half of them and on 1: these are timed in turn, and again every few
 * seconds, for other programs come and go. Nothing is computed twice for it.
 */
export class ThreadChoice {
  /** The choice. One, until something was measured. */
  threads = 1;
  /** The numbers to time, the most first. */
  readonly candidates: readonly number[];
  /** ms a product of each candidate, a round each. */
  private readonly rates: number[][];
  /** What the candidate whose turn it is has done. */
  private ms = 0;
  private work = 0;
  private turn = 0;
  /** The first call of a turn wakes threads that have slept while one computed, which those that follow do not have to. */
  private isAwake = false;
  private readonly onOne = { ms: 0, work: 0, rate: 0 };
  private dueAt = -Infinity;
  private oneHoldsMs = ONE_HOLDS_MS;

  constructor(
    most: number,
    private readonly now: () => number,
  ) {
    this.candidates = [...new Set([most, Math.ceil(most / 2), 1])];
    this.rates = this.candidates.map(() => []);
  }

  /** Whether numbers of threads are to be timed: then calls run on {@link next}, and {@link noteTimed} is told of each. */
  isDue(): boolean {
    return this.now() >= this.dueAt;
  }

  get next(): number {
    return this.candidates[this.turn]!;
  }

  /** ms that so much work takes on one thread where nobody disturbs it; 0 while that is not known. */
  expectedMs(work: number): number {
    return this.onOne.rate * work;
  }

  /** A call on one thread. */
  noteOnOne(ms: number, work: number): void {
    const { onOne } = this;
    onOne.ms += ms;
    onOne.work += work;
    if (onOne.work < TIMED_WORK) return;
    const rate = onOne.ms / onOne.work;
    onOne.rate = onOne.rate === 0 ? rate : Math.min(rate, SLOWER * onOne.rate);
    onOne.ms = onOne.work = 0;
  }

  /** A call, or a part of one, on {@link next} threads. */
  noteTimed(ms: number, work: number): void {
    if (this.next > 1 && !this.isAwake) {
      this.isAwake = true;
      return;
    }
    this.ms += ms;
    this.work += work;
    if (this.work < TIMED_WORK) return;
    this.rates[this.turn]!.push(this.ms / this.work);
    this.ms = this.work = 0;
    this.isAwake = false;
    this.turn = (this.turn + 1) % this.candidates.length;
    if (this.turn === 0 && this.rates[0]!.length === ROUNDS) this.choose();
  }

  /** Somebody else took the cores: what was timed tells nothing, and one thread stays until it is timed again. */
  drop(): void {
    if (this.threads > 1) this.dueAt = -Infinity;
    this.threads = 1;
    this.clear();
  }

  private choose(): void {
    const medians = this.rates.map((rates) => rates.sort((a, b) => a - b)[ROUNDS >> 1]!);
    const least = Math.min(...medians);
    this.threads = least <= WORTH * medians.at(-1)! ? this.candidates[medians.indexOf(least)]! : 1;
    this.dueAt = this.now() + (this.threads === 1 ? this.oneHoldsMs : HOLDS_MS);
    this.oneHoldsMs = this.threads === 1 ? Math.min(2 * this.oneHoldsMs, ONE_HOLDS_AT_MOST_MS) : ONE_HOLDS_MS;
    this.clear();
  }

  private clear(): void {
    for (const rates of this.rates) rates.length = 0;
    this.ms = this.work = this.turn = 0;
    this.isAwake = false;
  }
}
