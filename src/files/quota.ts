import { NvlmError } from '../errors.ts';

/** Left free beside what is stored for the browser's own bookkeeping. */
const MARGIN_BYTES = 4 * 1024 * 1024;

/** Whether a browser's storage, whichever it is, refused a write because the site has no more room. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && error.name === 'QuotaExceededError';
}

/** @param what a sentence about what could not be stored */
export function noRoom(what: string, cause?: unknown): NvlmError {
  return new NvlmError(
    'storage-full',
    what,
    'Delete a run, a dataset or a stored model that is no longer needed, or free disk space; a model works without being stored.',
    { cause },
  );
}

export function notEnoughRoom(needed: number, free: number): NvlmError {
  const mb = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  return noRoom(`Storing needs ${mb(needed)} and the browser allows ${mb(Math.max(0, free))} more.`);
}

/** Bytes that may still be stored, as the browser estimates them; null where it does not say. */
export async function freeQuota(storage: StorageManager | undefined = globalThis.navigator?.storage): Promise<number | null> {
  const { quota, usage } = (await storage?.estimate?.().catch(() => null)) ?? {};
  return quota === undefined || usage === undefined ? null : Math.max(0, quota - usage - MARGIN_BYTES);
}

/** @throws NvlmError `storage-full` when the browser says that so much does not fit */
export async function checkQuota(bytes: number, storage?: StorageManager): Promise<void> {
  const free = await freeQuota(storage);
  if (free !== null && free < bytes) throw notEnoughRoom(bytes, free);
}

/**
 * Asks that stored models survive when the disk runs low. Only pages may ask (not workers); browsers decide by
 * themselves or ask the user. False where it was refused or cannot be asked.
 */
export async function askPersistence(storage: StorageManager | undefined = globalThis.navigator?.storage): Promise<boolean> {
  try {
    return (await storage?.persisted?.()) || ((await storage?.persist?.()) ?? false);
  } catch {
    return false;
  }
}
