import { NvlmError } from '../errors.ts';

/** Whose turn it is: calls that use the device wait for each other, and a run has it alone. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  /** Ends the run that has the device, leaving a checkpoint; null when there is none. */
  private training: AbortController | null = null;

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work, work);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** As {@link inTurn}, for what would wait for the end of a run. @throws NvlmError `busy` */
  async unlessTraining<T>(work: () => Promise<T>): Promise<T> {
    if (this.training) throw busyTraining();
    return this.inTurn(work);
  }

  /** What takes a look alone need not wait for the end of a run. */
  beside<T>(work: () => Promise<T>): Promise<T> {
    return this.training ? work() : this.inTurn(work);
  }

  /** A run's turn. @param work gets a signal that fires with the given one, or when the engine ends. @throws NvlmError `busy` */
  async alone<T>(signal: AbortSignal | undefined, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    if (this.training) throw busyTraining();
    const stop = new AbortController();
    const end = () => stop.abort();
    signal?.addEventListener('abort', end);
    this.training = stop;
    try {
      return await this.inTurn(() => work(stop.signal));
    } finally {
      this.training = null;
      signal?.removeEventListener('abort', end);
    }
  }

  endRun(): void {
    this.training?.abort();
  }
}

function busyTraining(): NvlmError {
  return new NvlmError('busy', 'A fine-tuning run has the device.', 'Pause the run first.');
}
