/** A call has been interrupted when it took so many times what it takes else, and so much more: as long as a scheduler lets others run. */
const INTERRUPTED = 3;
const INTERRUPTED_MS = 1;
/** So long calls must have run without being interrupted before cores are taken for free. */
const CALM_MS = 20;
/** Of the time that calls take so much at most is lost to waiting for threads that were not let run. */
const LOST_SHARE = 0.02;
/** So much may be lost before that share counts: a quiet machine interrupts a call now and then too. */
const LOST_AT_FIRST_MS = 5;

/**
 * Whether there are cores for more threads, by how calls of all kernels fare. On a machine whose cores are taken a call is interrupted every
 * few milliseconds and a thread that holds a piece of it is waited for as long, so that one that is only tried costs more than it can
 * bring. Calls on one thread tell for nothing: more are tried when none of them was interrupted for a while, and, once waiting has cost
 * too much, when that is little of the time since.
 */
export class FreeCores {
  /** More threads have cost too much, and that is not made up for yet. */
  areTaken = false;
  private calmMs = 0;
  private lostMs = 0;

  /** Whether more threads are worth a try. */
  areThere(): boolean {
    return this.calmMs >= CALM_MS && !this.areTaken;
  }

  /**
   * @param ms that a call took
   * @param expectedMs that it takes on one thread, 0 where that is not known
   * @returns whether it was interrupted
   */
  note(ms: number, expectedMs: number, threads: number): boolean {
    this.lostMs = Math.max(0, this.lostMs - LOST_SHARE * ms);
    if (this.lostMs === 0) this.areTaken = false;
    const isInterrupted = expectedMs > 0 && ms > INTERRUPTED * expectedMs + INTERRUPTED_MS;
    if (isInterrupted) {
      this.calmMs = 0;
      if (threads > 1) this.lostMs += ms - expectedMs;
      if (this.lostMs > LOST_AT_FIRST_MS) this.areTaken = true;
    } else if (expectedMs > 0) {
      this.calmMs += ms;
    }
    return isInterrupted;
  }
}
