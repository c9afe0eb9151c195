import { storeBusy } from './store.ts';

/**
 * One writer a name over all tabs. Resolves to the function that lets go; the browser does so itself when the tab dies.
 * Without Web Locks (Node, old browsers) only this realm is guarded.
 * @throws NvlmError `busy`
 */
export type Lock = (name: string) => Promise<() => void>;

export function createLock(manager: LockManager | undefined = globalThis.navigator?.locks): Lock {
  const held = new Set<string>();
  return async (name) => {
    if (held.has(name)) throw storeBusy();
    held.add(name);
    const releaseLocal = () => void held.delete(name);
    if (!manager) return releaseLocal;
    return new Promise((resolve, reject) => {
      const request = manager.request(name, { ifAvailable: true }, (lock) => {
        if (!lock) throw storeBusy();
        return new Promise<void>((release) => {
          resolve(() => {
            releaseLocal();
            release();
          });
        });
      });
      request.catch((error: unknown) => {
        releaseLocal();
        reject(error as Error);
      });
    });
  };
}
