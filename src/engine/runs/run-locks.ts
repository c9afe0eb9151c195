import { NvlmError } from '../../errors.ts';

/** A reloaded page may ask before the browser has let go of what its former self held. */
const PATIENCE_MS = 3000;

const nameOf = (id: string) => `nvlm-run-${id}`;

/** One trainer a run, over all tabs; the browser lets go by itself when a tab dies. Without Web Locks, this realm alone. */
export class RunLocks {
  private readonly held = new Set<string>();

  constructor(private readonly manager: LockManager | undefined = globalThis.navigator?.locks) {}

  /** @returns the function that lets go @throws NvlmError `busy` */
  async acquire(id: string): Promise<() => void> {
    if (this.held.has(id)) throw runBusy();
    this.held.add(id);
    if (!this.manager) return () => void this.held.delete(id);
    const manager = this.manager;
    return new Promise((resolve, reject) => {
      const request = manager.request(nameOf(id), { signal: AbortSignal.timeout(PATIENCE_MS) }, () => {
        return new Promise<void>((release) => {
          resolve(() => {
            this.held.delete(id);
            release();
          });
        });
      });
      request.catch(() => {
        this.held.delete(id);
        reject(runBusy());
      });
    });
  }

  /** Runs that somebody trains. */
  async running(): Promise<(id: string) => boolean> {
    const { held = [] } = (await this.manager?.query()) ?? {};
    const names = new Set(held.map(({ name }) => name));
    return (id) => this.held.has(id) || names.has(nameOf(id));
  }
}

function runBusy(): NvlmError {
  return new NvlmError('busy', 'Another tab trains this run.', 'Pause it there, or wait for its end.');
}
