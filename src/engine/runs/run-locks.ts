import { NvlmError } from '../../errors.ts';
import { Locks } from '../../files/web-locks.ts';

/** A reloaded page may ask before the browser has let go of what its former self held. */
const PATIENCE_MS = 3000;

const nameOf = (id: string) => `nvlm-run-${id}`;

/** One trainer a run, over all tabs. */
export class RunLocks {
  private readonly locks = new Locks();
  /** Of this tab, which is asked for no patience. */
  private readonly own = new Set<string>();

  /** @returns the function that lets go @throws NvlmError `busy` */
  async acquire(id: string): Promise<() => void> {
    if (this.own.has(id)) throw runBusy();
    this.own.add(id);
    const release = await this.locks.acquire(nameOf(id), PATIENCE_MS);
    if (!release) {
      this.own.delete(id);
      throw runBusy();
    }
    return () => {
      this.own.delete(id);
      release();
    };
  }

  /** Runs that somebody trains. */
  async running(): Promise<(id: string) => boolean> {
    const names = await this.locks.names();
    return (id) => this.own.has(id) || names.has(nameOf(id));
  }
}

function runBusy(): NvlmError {
  return new NvlmError('busy', 'Another tab trains this run.', 'Pause it there, or wait for its end.');
}
