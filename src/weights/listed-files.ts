import { throwIfAborted } from '../errors.ts';
import { askBriefly } from './ask-briefly.ts';
import type { Manifest } from './manifest.ts';
import { MANIFEST_FILE, MAX_MANIFEST_BYTES, formatManifest, parseManifest, readManifest } from './manifest.ts';
import type { ModelFiles } from './source.ts';
import { getSmall, putSmall } from '../files/blobs/small-files.ts';
import type { BlobStore } from '../files/blobs/store.ts';
import { storageError } from '../files/blobs/store.ts';
import type { StoredFilesOptions } from './stored-files.ts';
import { storedFiles } from './stored-files.ts';

export interface ListedOptions extends Pick<StoredFilesOptions, 'onWarning'> {
  signal?: AbortSignal;
}

/** Asks where the model lives for the list of its files. */
export type FetchManifest = (signal?: AbortSignal) => Promise<Manifest>;

/**
 * The manifest decides what is current, so unlike all else it comes from the network first. With a stored one at hand
 * the network gets little time, and none while the browser says that it is offline.
 */
async function currentManifest(
  id: string,
  fetchManifest: FetchManifest,
  store: BlobStore,
  { signal, onWarning }: ListedOptions,
): Promise<Manifest> {
  const name = `${id}/${MANIFEST_FILE}`;
  const old = await getSmall(store, name, MAX_MANIFEST_BYTES);
  throwIfAborted(signal);
  if (!old) return fetched(signal);
  return (await askBriefly(fetched, signal))?.answer ?? parseManifest(old, id);

  async function fetched(fetchSignal?: AbortSignal): Promise<Manifest> {
    const manifest = await fetchManifest(fetchSignal);
    await putSmall(store, name, formatManifest(manifest)).catch((error: unknown) => onWarning?.(storageError(error)));
    return manifest;
  }
}

/**
 * A model with a list of its files (which comes from the store when the network is away): every file is checked against
 * the list and kept in the store.
 * @throws NvlmError `not-found`, `bad-model`, `network`, `cancelled`
 */
export async function listedFiles(
  remote: ModelFiles,
  fetchManifest: FetchManifest,
  store: BlobStore,
  options: ListedOptions = {},
): Promise<ModelFiles> {
  const manifest = await currentManifest(remote.id, fetchManifest, store, options);
  return storedFiles(remote, store, { manifest, onWarning: options.onWarning });
}

/** {@link listedFiles} of a bundled model, whose list lies beside its files. */
export function bundledFiles(remote: ModelFiles, store: BlobStore, options?: ListedOptions): Promise<ModelFiles> {
  return listedFiles(remote, (signal) => readManifest(remote, signal), store, options);
}
