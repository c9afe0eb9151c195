import { PRIVATE_FOLDERS, privateFolder } from '../private-storage.ts';
import { cacheStore } from './cache-store.ts';
import { createLock } from './locks.ts';
import { memoryStore } from './memory-store.ts';
import { opfsStore } from './opfs-store.ts';
import type { BlobStore } from './store.ts';

/** Storage can be there and still refuse (private windows, blocked site data), so each is tried with a tiny file. */
async function works(store: BlobStore): Promise<boolean> {
  const path = `probe/${crypto.randomUUID()}`;
  try {
    const writer = await store.writer(path, 1, '');
    await writer.append(new Uint8Array([1]));
    await writer.commit();
    const blob = await store.get(path);
    const [byte] = (await blob?.read(0, 1)) ?? [];
    return byte === 1;
  } catch {
    // Full is not the same as missing: what is stored can still be read.
    const usage = await store.usage().catch(() => []);
    return usage.some((file) => file.path !== path);
  } finally {
    await store.delete(path).catch(() => undefined);
  }
}

/** The best storage that works here: OPFS, else the Cache API, else memory. */
export async function openStore(): Promise<BlobStore> {
  const lock = createLock();
  const folder = privateFolder(PRIVATE_FOLDERS.models);
  const opfs = async () => (await folder(), opfsStore(folder, lock));
  const cache = async () => cacheStore(await caches.open(PRIVATE_FOLDERS.models), lock);
  for (const open of [opfs, cache]) {
    const store = await open().catch(() => null);
    if (store && (await works(store))) return store;
  }
  return memoryStore();
}
