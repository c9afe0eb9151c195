/**
 * One holder a name over all tabs. The browser lets go by itself when a holder's tab dies. Without Web Locks (Node, pages
 * that did not come over HTTPS) only this realm is guarded.
 */
export class Locks {
  /** Without Web Locks: what is held here, each resolved when it is let go. */
  private readonly held = new Map<string, Promise<void>>();

  constructor(private readonly manager: LockManager | undefined = globalThis.navigator?.locks) {}

  /**
   * @param patienceMs how long another holder is waited for; 0 = not at all, Infinity = until it lets go
   * @returns the function that lets go; null when another holder did not let go in time
   */
  acquire(name: string, patienceMs: number): Promise<(() => void) | null> {
    return this.manager ? acquireWebLock(this.manager, name, patienceMs) : this.acquireHere(name, patienceMs);
  }

  /** Runs `work` when nobody else runs work of this name. */
  async exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const release = (await this.acquire(name, Infinity))!;
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Names that somebody holds, in any tab. */
  async names(): Promise<Set<string>> {
    const { held = [] } = (await this.manager?.query()) ?? {};
    return new Set([...this.held.keys(), ...held.flatMap(({ name }) => name ?? [])]);
  }

  private async acquireHere(name: string, patienceMs: number): Promise<(() => void) | null> {
    const end = performance.now() + patienceMs;
    for (let holder = this.held.get(name); holder; holder = this.held.get(name)) {
      const left = end - performance.now();
      if (left <= 0) return null;
      await (left === Infinity ? holder : Promise.race([holder, new Promise((resolve) => setTimeout(resolve, left))]));
    }
    let letGo!: () => void;
    this.held.set(name, new Promise((resolve) => (letGo = resolve)));
    return () => {
      this.held.delete(name);
      letGo();
    };
  }
}

function acquireWebLock(manager: LockManager, name: string, patienceMs: number): Promise<(() => void) | null> {
  const waits = patienceMs === Infinity ? {} : { signal: AbortSignal.timeout(patienceMs) };
  return new Promise((resolve) => {
    manager
      .request(name, patienceMs === 0 ? { ifAvailable: true } : waits, (lock) =>
        lock ? new Promise<void>((release) => resolve(release)) : resolve(null),
      )
      // Its patience is at an end.
      .catch(() => resolve(null));
  });
}
