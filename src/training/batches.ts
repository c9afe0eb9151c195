import { numbersFor, shuffled } from '../numbers/random.ts';

export interface BatchOptions {
  batch: number;
  shuffle: boolean;
  seed: number;
  /** Samples of similar length share a batch, so that less of it is padding. */
  bucket: boolean;
  /** Share of the samples that is drawn from the second pool, the blend; 0 = none. */
  blendRatio: number;
}

/** Batches whose samples are sorted by length together. */
const WINDOW = 16;

/** What the two generators of an epoch are for. */
const PURPOSE = { order: 1, windows: 2, blend: 3 };

/**
 * Which samples a step sees, computed from the step alone.
 *
 * Without shuffling, sample b of step s is record (s · batch + b) mod n. With it, every epoch has an order of its own.
 * A blend takes every so manieth place for the second pool, so that its share is exact over any stretch.
 */
export class Batches {
  private readonly orders = new Map<string, number[]>();

  constructor(
    /** Length in tokens of each record of the main pool. */
    private readonly lengths: readonly number[],
    /** The same of the blend. */
    private readonly blendLengths: readonly number[],
    private readonly options: BatchOptions,
  ) {
    if (lengths.length === 0) throw new RangeError('no samples');
  }

  /** Indices of step `step`: into the main pool, or behind its end into the blend. */
  at(step: number): number[] {
    const { batch, bucket, seed } = this.options;
    if (!bucket) return this.places(step * batch, batch);
    const window = Math.floor(step / WINDOW);
    const sorted = this.places(window * WINDOW * batch, WINDOW * batch)
      .map((index) => ({ index, length: this.lengthOf(index) }))
      .sort((a, b) => a.length - b.length || a.index - b.index);
    const order = shuffled(
      Array.from({ length: WINDOW }, (_, i) => i),
      numbersFor(seed, PURPOSE.windows, window),
    );
    const first = order[step % WINDOW]! * batch;
    return sorted.slice(first, first + batch).map(({ index }) => index);
  }

  private places(first: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.place(first + i));
  }

  private place(place: number): number {
    const { blendRatio } = this.options;
    const blended = Math.floor(place * blendRatio);
    if (Math.floor((place + 1) * blendRatio) > blended) {
      return this.lengths.length + this.inOrder(blended, this.blendLengths.length, PURPOSE.blend);
    }
    return this.inOrder(place - blended, this.lengths.length, PURPOSE.order);
  }

  private inOrder(place: number, size: number, purpose: number): number {
    if (!this.options.shuffle) return place % size;
    const epoch = Math.floor(place / size);
    const key = `${purpose}:${epoch}`;
    let order = this.orders.get(key);
    if (!order) {
      // Two epochs a pool are enough: a batch reaches over one border at most.
      if (this.orders.size > 4) this.orders.clear();
      order = shuffled(
        Array.from({ length: size }, (_, i) => i),
        numbersFor(this.options.seed, purpose, epoch),
      );
      this.orders.set(key, order);
    }
    return order[place % size]!;
  }

  private lengthOf(index: number): number {
    return this.lengths[index] ?? this.blendLengths[index - this.lengths.length]!;
  }
}
