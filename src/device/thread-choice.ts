/** Threads beyond so many bring little: what they share, memory and its bandwidth, does not grow. */
export const MOST_THREADS = 16;

/** So long a choice holds before it is looked at again. That of one thread, each time that it is confirmed, twice as long, up to a bound. */
const HOLDS_MS = 5000;
const HOLDS_AT_MOST_MS = 80_000;
/** Jobs that are timed before one is chosen. */
const SAMPLES = 8;
/** Threads are worth it from so much less time on: they take cores from everybody else. */
const WORTH = 0.9;
/** When other threads have cost so much more than one alone, nothing is left to find out. */
const LOST_MS = 5;
/** Jobs that were late before it is measured again. */
const MOST_LATE = 3;

/**
 * How many threads a kernel runs on, by what it takes on 1, on all and on half of them: pieces of equal size of the same job are timed
 * on each, a few jobs in a row, and again every few seconds, for other programs come and go. Nothing is computed twice for it.
 */
export class ThreadChoice {
  /** The choice. One, until something was measured. */
  threads = 1;
  /** The numbers to time, the most first: the others look out for jobs still, as they do when they are always used. */
  readonly candidates: readonly number[];
  private readonly spent: number[];
  private samples = 0;
  private dueAt = -Infinity;
  private holdsMs = HOLDS_MS;
  private late = 0;

  constructor(
    most: number,
    private readonly now: () => number,
  ) {
    this.candidates = [...new Set([most, Math.ceil(most / 2), 1])];
    this.spent = this.candidates.map(() => 0);
  }

  isDue(): boolean {
    return this.now() >= this.dueAt;
  }

  /** @param times ms that equal shares of one job took, in the order of {@link candidates} */
  note(times: readonly number[]): void {
    times.forEach((ms, i) => (this.spent[i]! += ms));
    const least = Math.min(...this.spent);
    const onOne = this.spent.at(-1)!;
    const isLost = Math.min(...this.spent.slice(0, -1)) > onOne + LOST_MS;
    if (++this.samples < SAMPLES && !isLost) return;
    const before = this.threads;
    this.threads = least <= WORTH * onOne ? this.candidates[this.spent.indexOf(least)]! : 1;
    this.holdsMs = this.threads === 1 && before === 1 ? Math.min(2 * this.holdsMs, HOLDS_AT_MOST_MS) : HOLDS_MS;
    this.dueAt = this.now() + this.holdsMs;
    this.spent.fill(0);
    this.samples = this.late = 0;
  }

  /** A job for which the caller waited longer than it had worked itself: cores are taken. After some, one thread until it is measured. */
  noteLate(): void {
    if (++this.late < MOST_LATE) return;
    this.late = 0;
    this.threads = 1;
    this.dueAt = this.now();
  }
}
