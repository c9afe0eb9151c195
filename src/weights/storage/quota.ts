import { notEnoughRoom } from './store.ts';

/** Left free beside the model for the browser's own bookkeeping. */
const MARGIN_BYTES = 4 * 1024 * 1024;

/** Bytes of models that may still be stored, as the browser estimates them; null where it does not say. */
export async function freeQuota(
  storage: StorageManager | undefined = globalThis.navigator?.storage,
): Promise<number | null> {
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
export async function askPersistence(
  storage: StorageManager | undefined = globalThis.navigator?.storage,
): Promise<boolean> {
  try {
    return (await storage?.persisted?.()) || ((await storage?.persist?.()) ?? false);
  } catch {
    return false;
  }
}
