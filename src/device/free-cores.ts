/** A call has been interrupted when it took so many times what it takes else, and so much more: as long as a scheduler lets others run. */
const INTERRUPTED = 3;
const INTERRUPTED_MS = 1;
/** So long calls must have run without being interrupted before cores are taken for free. */
const CALM_MS = 20;
/** Of the time that calls take so much at most is lost to waiting for threads that were not let run. */
const LOST_SHARE = 0.02;

/**
 * Whether there are cores for more threads, by how calls of all kernels fare. On a machine whose cores are taken a call is interrupted every
 * few milliseconds and a thread that holds a piece of it is waited for as long, so that one that is only tried costs more than it can
 * bring. Calls on one thread tell for nothing: more are tried when none of them was interrupted for a while, and when what the last
 * attempt has lost is little of the time since.
 */
export class FreeCores {
  private calmMs = 0;
  private lostMs = 0;

  areThere(): boolean {
    return this.calmMs >= CALM_MS && this.lostMs === 0;
  }

  /**
   * @param ms that a call took
   * @param expectedMs that it takes on one thread, 0 where that is not known
   * @returns whether it was interrupted
   */
  note(ms: number, expectedMs: number, threads: number): boolean {
    this.lostMs = Math.max(0, this.lostMs - LOST_SHARE * ms);
    const isInterrupted = expectedMs > 0 && ms > INTERRUPTED * expectedMs + INTERRUPTED_MS;
    if (isInterrupted) {
      this.calmMs = 0;
      if (threads > 1) this.lostMs += ms - expectedMs;
    } else if (expectedMs > 0) {
      this.calmMs += ms;
    }
    return isInterrupted;
  }
}
