import { Locks } from '../web-locks.ts';
import { storeBusy } from './store.ts';

/**
 * One writer a file over all tabs. Resolves to the function that lets go.
 * @throws NvlmError `busy` rather than wait
 */
export type Lock = (name: string) => Promise<() => void>;

export function createLock(manager?: LockManager): Lock {
  const locks = new Locks(manager);
  return async (name) => {
    const release = await locks.acquire(name, 0);
    if (!release) throw storeBusy();
    return release;
  };
}
