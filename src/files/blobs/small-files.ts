import { blockSums, checkedBlob } from './block-sums.ts';
import type { BlobStore } from './store.ts';

/** Stores a small file in one go. @throws NvlmError `storage-full`, `busy` */
export async function putSmall(store: BlobStore, path: string, bytes: Uint8Array, version = ''): Promise<void> {
  const sums = blockSums(store, bytes.length);
  await sums.add(bytes);
  const writer = await store.writer(path, bytes.length, version);
  try {
    await writer.append(bytes);
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await writer.commit(await sums.end());
}

/** A small file as it was stored; null when there is none, or none that is whole and at most `maxBytes` long. */
export async function getSmall(store: BlobStore, path: string, maxBytes: number): Promise<Uint8Array | null> {
  try {
    const blob = await store.get(path);
    return blob && blob.size <= maxBytes ? await checkedBlob(store, blob).read(0, blob.size) : null;
  } catch {
    return null;
  }
}
