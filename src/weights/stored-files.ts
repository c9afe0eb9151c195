import { NvlmError, throwIfAborted } from '../errors.ts';
import type { Manifest } from './manifest.ts';
import { MANIFEST_FILE, formatManifest, parseManifest, readManifest } from './manifest.ts';
import { checkedFiles } from './checked-files.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { checkSpan, fileTooLarge, missingFile } from './source.ts';
import { askPersistence } from './storage/quota.ts';
import type { BlobStore, BlobWriter, StoredBlob } from './storage/store.ts';
import { storageError } from './storage/store.ts';
import type { FileTap } from './tapped-files.ts';
import { tapFiles } from './tapped-files.ts';

export interface StoredFilesOptions {
  /** The files' hashes: what comes is checked, and a stored file of another hash is an old one and fetched anew. */
  manifest?: Manifest;
  /** Something could not be stored (`storage-full`, `busy`): loading goes on without. At most once. */
  onWarning?: (error: NvlmError) => void;
}

/** Remembers that the model has no such (optional) file, for when the network is away. */
const ABSENT = 'absent';

function isNetworkError(error: unknown): boolean {
  return error instanceof NvlmError && error.code === 'network';
}

/** The bytes themselves are no good: none of them may be gone on with. */
function isSpoiled(error: unknown): boolean {
  return error instanceof NvlmError && (error.code === 'corrupt-file' || error.code === 'bad-model');
}

/** A writer that gives up quietly: the model is loaded all the same. */
function storingTap(writer: BlobWriter | null, warn: (error: unknown) => void): FileTap {
  /** Position in the file; what the writer holds from an earlier visit is not given to it again. */
  let at = 0;
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
  const end = async (step: (writer: BlobWriter) => Promise<void>): Promise<void> => {
    const open = writer;
    writer = null;
    if (open) await step(open);
  };
  return {
    write: (bytes) =>
      attempt(async (open) => {
        const fresh = bytes.subarray(Math.max(0, Math.min(bytes.length, open.start - at)));
        at += bytes.length;
        if (fresh.length > 0) await open.append(fresh);
      }),
    close: () => attempt((open) => open.commit()),
    // A broken connection or a closed tab leaves a good beginning; of a file that is not what it should be nothing is.
    abort: (cause) => end((open) => (isSpoiled(cause) ? open.abort() : open.suspend())),
  };
}

/**
 * The store first, else the remote folder, whose files are stored while they are read and committed when they are
 * complete (and have passed the remote's own checks). Stored files that are truncated, unreadable or of another version
 * are dropped and fetched again. Once a model has been read to the end it loads without the network.
 *
 * What was stored of a file when the connection broke off, the load was cancelled or the tab died is not fetched again,
 * if a hash, an ETag or a date says that it is still the same file: it is read back, and hashed again, from the store.
 * A server without Range sends such a file from its beginning all the same.
 */
export function storedFiles(remote: ModelFiles, store: BlobStore, options: StoredFilesOptions = {}): ModelFiles {
  const { id } = remote;
  const { manifest } = options;
  const found = new Map<string, Promise<StoredBlob | null>>();
  const fromStore = new Set<string>();
  let warned = false;
  let asked = false;
  const nameOf = (path: string) => `${id}/${checkFilePath(path)}`;

  function warn(error: unknown): void {
    if (!warned) options.onWarning?.(storageError(error));
    warned = true;
  }

  async function look(path: string): Promise<StoredBlob | null> {
    try {
      const blob = await store.get(nameOf(path));
      if (!blob || blob.version === ABSENT) return null;
      const wanted = manifest?.get(path);
      const current = !manifest || (blob.version === wanted?.hash && blob.size === wanted.size);
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

  /** Writers of the files that are coming in; null for one that cannot be stored. */
  const writers = new Map<string, Promise<BlobWriter | null>>();
  /** Writers that are letting go: a file is not begun again before. */
  const ending = new Map<string, Promise<void>>();
  const begun = new Set<string>();
  const complete = new Set<string>();

  async function openWriter(path: string, size: number, version: string): Promise<BlobWriter | null> {
    if (!asked) await askPersistence();
    asked = true;
    await ending.get(path);
    const resume = version !== '';
    return store.writer(nameOf(path), size, version, { resume }).catch((error: unknown) => (warn(error), null));
  }

  /** Opens the writer of a file before the first of it is read, because it may hold the beginning already. */
  async function begin(path: string, signal?: AbortSignal): Promise<void> {
    if (complete.has(path) || (manifest && !manifest.has(path))) return;
    begun.add(path);
    let writer = writers.get(path);
    if (!writer) {
      writer = (async () => {
        const size = manifest?.get(path)?.size ?? (await remote.size(path, signal));
        if (size === null) throw missingFile(path, id);
        const version = manifest?.get(path)?.hash ?? (await remote.version?.(path, signal)) ?? '';
        return openWriter(path, size, version);
      })();
      writers.set(path, writer);
      writer.catch(() => writers.delete(path));
    }
    await writer;
  }

  /** The remote folder, but for what an earlier visit left of a file that is coming in. */
  const resumed: ModelFiles = {
    ...remote,
    async read(path, start, end, signal) {
      const writer = (await writers.get(path)) ?? null;
      const kept = Math.min(end, writer?.start ?? 0);
      if (!writer || kept <= start) return remote.read(path, start, end, signal);
      const held = await writer.readKept(start, kept).catch(() => null);
      if (!held) return remote.read(path, start, end, signal);
      if (kept === end) return held;
      const bytes = new Uint8Array(end - start);
      bytes.set(held);
      bytes.set(await remote.read(path, kept, end, signal), kept - start);
      return bytes;
    },
  };
  const source = manifest ? checkedFiles(resumed, manifest) : resumed;

  const tapped = tapFiles(source, {
    wants: () => true,
    async open(path, size) {
      const opened = writers.get(path);
      // Small files come whole and are not resumed.
      const writer = await (opened ?? openWriter(path, size, manifest?.get(path)?.hash ?? ''));
      const tap = storingTap(writer, warn);
      return {
        ...tap,
        async abort(cause) {
          if (writers.get(path) === opened) writers.delete(path);
          const end = Promise.all([ending.get(path), tap.abort(cause)]).then(() => undefined);
          ending.set(path, end);
          await end;
        },
      };
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
      return (await stored(path))?.size ?? source.size(path, signal);
    },

    async read(path, start, end, signal) {
      checkSpan(path, start, end);
      throwIfAborted(signal);
      const bytes = await readStored(path, () => [start, end]);
      throwIfAborted(signal);
      if (bytes) return bytes;
      await begin(path, signal);
      // A reader that left meanwhile must not open anew what it has closed.
      throwIfAborted(signal);
      return tapped.read(path, start, end, signal);
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
      complete.add(path);
      writers.delete(path);
      found.delete(path);
    },

    async close(cause) {
      await tapped.close();
      for (const writer of writers.values()) await (await writer.catch(() => null))?.suspend();
      writers.clear();
      if (!isSpoiled(cause)) return;
      for (const path of begun) if (!complete.has(path)) await store.delete(nameOf(path)).catch(() => undefined);
    },

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
  return storedFiles(remote, store, { manifest, onWarning: options.onWarning });
}

/** {@link listedFiles} of a bundled model, whose list lies beside its files. */
export function bundledFiles(remote: ModelFiles, store: BlobStore, options?: ListedOptions): Promise<ModelFiles> {
  return listedFiles(remote, (signal) => readManifest(remote, signal), store, options);
}
