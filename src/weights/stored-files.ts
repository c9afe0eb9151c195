import { NvlmError, throwIfAborted } from '../errors.ts';
import type { Manifest } from './manifest.ts';
import { MANIFEST_FILE, formatManifest, parseManifest, readManifest } from './manifest.ts';
import { checkedFiles } from './checked-files.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { checkSpan, fileTooLarge } from './source.ts';
import { askPersistence } from './storage/quota.ts';
import type { BlobStore, BlobWriter, StoredBlob } from './storage/store.ts';
import { storageError } from './storage/store.ts';
import type { FileTap } from './tapped-files.ts';
import { tapFiles } from './tapped-files.ts';

export interface StoredFilesOptions {
  /** The files' hashes: a stored file of another hash is an old one, and is fetched anew. */
  manifest?: Manifest;
  /** Something could not be stored (`storage-full`, `busy`): loading goes on without. At most once. */
  onWarning?: (error: NvlmError) => void;
}

/** Remembers that the model has no such (optional) file, for when the network is away. */
const ABSENT = 'absent';

function isNetworkError(error: unknown): boolean {
  return error instanceof NvlmError && error.code === 'network';
}

/** A writer that gives up quietly: the model is loaded all the same. */
function storingTap(writer: BlobWriter | null, warn: (error: unknown) => void): FileTap {
  const attempt = async (step: (writer: BlobWriter) => Promise<void>): Promise<void> => {
    if (!writer) return;
    try {
      await step(writer);
    } catch (error) {
      warn(error);
      await writer?.abort();
      writer = null;
    }
  };
  return {
    write: (bytes) => attempt((open) => open.append(bytes)),
    close: () => attempt((open) => open.commit()),
    abort: async () => writer?.abort(),
  };
}

/**
 * The store first, else the remote folder, whose files are stored while they are read and committed when they are
 * complete (and have passed the remote's own checks). Stored files that are truncated, unreadable or of another version
 * are dropped and fetched again. Once a model has been read to the end it loads without the network.
 */
export function storedFiles(remote: ModelFiles, store: BlobStore, options: StoredFilesOptions = {}): ModelFiles {
  const { id } = remote;
  const { manifest } = options;
  const found = new Map<string, Promise<StoredBlob | null>>();
  const fromStore = new Set<string>();
  let warned = false;
  let asked = false;
  const nameOf = (path: string) => `${id}/${checkFilePath(path)}`;
  const versionOf = (path: string) => manifest?.get(path)?.hash ?? '';

  function warn(error: unknown): void {
    if (!warned) options.onWarning?.(storageError(error));
    warned = true;
  }

  async function look(path: string): Promise<StoredBlob | null> {
    try {
      const blob = await store.get(nameOf(path));
      if (!blob || blob.version === ABSENT) return null;
      const wanted = manifest?.get(path);
      const current = blob.version === versionOf(path) && (!wanted || wanted.size === blob.size);
      if (current) {
        fromStore.add(path);
        return blob;
      }
      await store.delete(nameOf(path));
    } catch (error) {
      warn(error);
    }
    return null;
  }

  function stored(path: string): Promise<StoredBlob | null> {
    let blob = found.get(path);
    if (!blob) found.set(path, (blob = look(path)));
    return blob;
  }

  /** The stored copy turned out to be no good: from here on the file comes from the remote folder. */
  async function drop(path: string): Promise<void> {
    found.set(path, Promise.resolve(null));
    fromStore.delete(path);
    await store.delete(nameOf(path)).catch(() => undefined);
  }

  /** A span of the stored file, or null when there is none that can be read. */
  async function readStored(path: string, span: (blob: StoredBlob) => [number, number]): Promise<Uint8Array | null> {
    const blob = await stored(path);
    if (!blob) return null;
    const [start, end] = span(blob);
    try {
      return await blob.read(start, end);
    } catch {
      await drop(path);
      return null;
    }
  }

  const tapped = tapFiles(remote, {
    wants: () => true,
    async open(path, size) {
      if (!asked) await askPersistence();
      asked = true;
      const writer = await store
        .writer(nameOf(path), size, versionOf(path))
        .catch((error: unknown) => (warn(error), null));
      return storingTap(writer, warn);
    },
  });

  async function rememberAbsence(path: string): Promise<void> {
    try {
      const writer = await store.writer(nameOf(path), 0, ABSENT);
      await writer.commit();
    } catch (error) {
      warn(error);
    }
  }

  return {
    id,

    async size(path, signal) {
      throwIfAborted(signal);
      return (await stored(path))?.size ?? remote.size(path, signal);
    },

    async read(path, start, end, signal) {
      checkSpan(path, start, end);
      throwIfAborted(signal);
      const bytes = await readStored(path, () => [start, end]);
      throwIfAborted(signal);
      return bytes ?? tapped.read(path, start, end, signal);
    },

    async readAll(path, maxBytes, signal) {
      throwIfAborted(signal);
      if (manifest && !manifest.has(path)) return null;
      const bytes = await readStored(path, ({ size }) => {
        if (size > maxBytes) throw fileTooLarge(path, maxBytes);
        return [0, size];
      });
      if (bytes) return bytes;
      try {
        const fetched = await tapped.readAll(path, maxBytes, signal);
        if (fetched === null && !manifest) await rememberAbsence(path);
        return fetched;
      } catch (error) {
        const memory = isNetworkError(error) ? await store.get(nameOf(path)).catch(() => null) : null;
        if (memory?.version === ABSENT) return null;
        throw error;
      }
    },

    async finish(path, signal) {
      if (await stored(path)) return;
      await tapped.finish(path, signal);
      found.delete(path);
    },

    close: tapped.close,

    isStored: (path) => fromStore.has(path),
  };
}

export interface ListedOptions {
  signal?: AbortSignal;
  onWarning?: (error: NvlmError) => void;
}

/** Asks where the model lives for the list of its files. */
export type FetchManifest = (signal?: AbortSignal) => Promise<Manifest>;

/** How long a known model waits for word of a newer version before it is loaded as it is stored. */
const MANIFEST_PATIENCE_MS = 2000;

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
  const blob = await store.get(name).catch(() => null);
  const old = blob && (await blob.read(0, blob.size).catch(() => null));
  throwIfAborted(signal);
  if (!old) return fetched(signal);
  if (globalThis.navigator?.onLine === false) return parseManifest(old, id);
  const timeout = AbortSignal.timeout(MANIFEST_PATIENCE_MS);
  try {
    return await fetched(signal ? AbortSignal.any([signal, timeout]) : timeout);
  } catch (error) {
    throwIfAborted(signal);
    if (isNetworkError(error) || timeout.aborted) return parseManifest(old, id);
    throw error;
  }

  async function fetched(fetchSignal?: AbortSignal): Promise<Manifest> {
    const manifest = await fetchManifest(fetchSignal);
    const bytes = formatManifest(manifest);
    try {
      const writer = await store.writer(name, bytes.length, '');
      await writer.append(bytes);
      await writer.commit();
    } catch (error) {
      onWarning?.(storageError(error));
    }
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
  return storedFiles(checkedFiles(remote, manifest), store, { manifest, onWarning: options.onWarning });
}

/** {@link listedFiles} of a bundled model, whose list lies beside its files. */
export function bundledFiles(remote: ModelFiles, store: BlobStore, options?: ListedOptions): Promise<ModelFiles> {
  return listedFiles(remote, (signal) => readManifest(remote, signal), store, options);
}
