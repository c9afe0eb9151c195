import { NvlmError, throwIfAborted } from '../errors.ts';
import { askBriefly, isNetworkError } from './ask-briefly.ts';
import { checkedFiles } from './checked-files.ts';
import { checkFilePath } from './file-path.ts';
import type { Manifest } from './manifest.ts';
import type { ModelFiles, Span } from './source.ts';
import { checkSpan, fileTooLarge, missingFile, readAhead, streamSpans, takeTurns } from './source.ts';
import { blockSums, checkedBlob, CHECKING_BYTES } from '../files/blobs/block-sums.ts';
import { askPersistence } from '../files/quota.ts';
import { putSmall } from '../files/blobs/small-files.ts';
import type { BlobStore, BlobWriter, OpenBlob, StoredBlob } from '../files/blobs/store.ts';
import { storageError } from '../files/blobs/store.ts';
import { isSpoiled, storingTap } from './storing-tap.ts';
import { tapFiles } from './tapped-files.ts';

export interface StoredFilesOptions {
  /** The files' hashes: what comes is checked, and a stored file of another hash is an old one and fetched anew. */
  manifest?: Manifest;
  /** Something could not be stored (`storage-full`, `storage-lost`, `busy`): loading goes on without. At most once. */
  onWarning?: (error: NvlmError) => void;
}

/** Remembers that the model has no such (optional) file, for when the network is away. */
const ABSENT = 'absent';

/**
 * The store first, else the remote folder, whose files are stored while they are read and committed when they are
 * complete (and have passed the remote's own checks). Stored files that are truncated, damaged, unreadable or of another
 * version are dropped and fetched again, from the very byte where that is noticed. Once a model has been read to the end
 * it loads without the network.
 *
 * Without a manifest the remote folder is asked whether it still has the version that is stored. While it is away the
 * stored files are used as they are; should it come back before all is read, they are asked about before anything new
 * is put beside them.
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
  /** Stored files that are in use though the remote folder could not be asked about them. */
  const unasked = new Map<string, StoredBlob>();
  /** Stored files that could not be read back as they were stored. */
  const damaged = new Set<string>();
  let isAway = false;
  let warned = false;
  let asked = false;
  const nameOf = (path: string) => `${id}/${checkFilePath(path)}`;

  function warn(error: unknown): void {
    if (!warned) options.onWarning?.(storageError(error));
    warned = true;
  }

  async function versionOf(path: string, signal?: AbortSignal): Promise<string> {
    return manifest?.get(path)?.hash ?? (await remote.version?.(path, signal)) ?? '';
  }

  /** Null when the remote folder has no such file (any more). */
  async function isSame(path: string, blob: StoredBlob, signal?: AbortSignal): Promise<boolean | null> {
    const size = await remote.size(path, signal);
    if (size === null) return null;
    const version = await versionOf(path, signal);
    return version === '' ? size === blob.size && blob.version === '' : version === blob.version;
  }

  async function isCurrent(path: string, blob: StoredBlob, signal?: AbortSignal): Promise<boolean> {
    if (manifest) {
      const wanted = manifest.get(path);
      return blob.version === wanted?.hash && blob.size === wanted.size;
    }
    const same = isAway ? null : await askBriefly((brief) => isSame(path, blob, brief), signal);
    if (same && same.answer !== null) return same.answer;
    isAway = true;
    unasked.set(path, blob);
    return true;
  }

  /** To be called before anything is fetched: a file of an older version beside a new one would make a broken model. */
  async function askAfterAll(signal?: AbortSignal): Promise<void> {
    for (const [path, blob] of unasked) {
      const same = await isSame(path, blob, signal);
      if (same === false) await drop(path);
      if (!same) {
        throw new NvlmError(
          'corrupt-file',
          `${path} of ${id} has changed since it was stored.`,
          'Load the model again to get the new version.',
        );
      }
      unasked.delete(path);
    }
  }

  async function look(path: string, signal?: AbortSignal): Promise<StoredBlob | null> {
    const blob = await store.get(nameOf(path)).catch((error: unknown) => (warn(error), null));
    if (!blob || blob.version === ABSENT) return null;
    if (await isCurrent(path, blob, signal)) {
      fromStore.add(path);
      return checkedBlob(store, blob);
    }
    await store.delete(nameOf(path)).catch(warn);
    return null;
  }

  function stored(path: string, signal?: AbortSignal): Promise<StoredBlob | null> {
    let blob = found.get(path);
    if (!blob) {
      found.set(path, (blob = look(path, signal)));
      blob.catch(() => found.delete(path));
    }
    return blob;
  }

  /** The stored copy turned out to be no good: from here on the file comes from the remote folder. */
  async function drop(path: string): Promise<void> {
    found.set(path, Promise.resolve(null));
    fromStore.delete(path);
    unasked.delete(path);
    await store.delete(nameOf(path)).catch(() => undefined);
  }

  async function dropDamaged(path: string): Promise<void> {
    damaged.add(path);
    await drop(path);
  }

  /** A span of the stored file, or null when there is none that can be read. */
  async function readStored(path: string, span: (blob: StoredBlob) => [number, number], signal?: AbortSignal): Promise<Uint8Array | null> {
    const blob = await stored(path, signal);
    if (!blob) return null;
    const [start, end] = span(blob);
    try {
      return await blob.read(start, end);
    } catch {
      await dropDamaged(path);
      return null;
    }
  }

  /** Why a file cannot be had, when it was stored and could have been. */
  function explain(path: string, cause: unknown): unknown {
    if (!damaged.has(path) || !isNetworkError(cause)) return cause;
    return new NvlmError(
      'corrupt-file',
      `The stored copy of ${path} is damaged, and the original cannot be reached.`,
      'Connect to the network and load the model again: the file is fetched anew.',
      { cause },
    );
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
        await askAfterAll(signal);
        const size = manifest?.get(path)?.size ?? (await remote.size(path, signal));
        if (size === null) throw missingFile(path, id);
        return openWriter(path, size, await versionOf(path, signal));
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
    async *stream(path, spans, signal) {
      const kept = (await writers.get(path))?.start ?? 0;
      const held = spans.filter(({ start }) => start < kept);
      yield* readAhead(resumed, path, held, signal);
      yield* streamSpans(remote, path, spans.slice(held.length), signal);
    },
  };
  const source = manifest ? checkedFiles(resumed, manifest) : resumed;

  const tapped = tapFiles(source, {
    wants: () => true,
    async open(path, size) {
      const opened = writers.get(path);
      // Small files come whole and are not resumed.
      const writer = await (opened ?? openWriter(path, size, await versionOf(path)));
      const tap = storingTap(writer, blockSums(store, size), warn);
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

  /** Whether an earlier visit found that there is no such file. */
  async function wasAbsent(path: string): Promise<boolean> {
    return (await store.get(nameOf(path)).catch(() => null))?.version === ABSENT;
  }

  /** Asks about a file that is not stored; that there is none is remembered for when the network is away. */
  async function askRemote<T>(path: string, ask: () => Promise<T | null>): Promise<T | null> {
    if (isAway && (await wasAbsent(path))) return null;
    try {
      const answer = await ask();
      const isNews = answer === null && !manifest && !(await wasAbsent(path));
      if (isNews) await putSmall(store, nameOf(path), new Uint8Array(0), ABSENT).catch(warn);
      return answer;
    } catch (error) {
      if (isNetworkError(error) && (await wasAbsent(path))) return null;
      throw error;
    }
  }

  return {
    id,

    async size(path, signal) {
      throwIfAborted(signal);
      const blob = await stored(path, signal);
      return blob ? blob.size : askRemote(path, () => source.size(path, signal));
    },

    async read(path, start, end, signal) {
      checkSpan(path, start, end);
      throwIfAborted(signal);
      const bytes = await readStored(path, () => [start, end], signal);
      throwIfAborted(signal);
      if (bytes) return bytes;
      try {
        await begin(path, signal);
        // A reader that left meanwhile must not open anew what it has closed.
        throwIfAborted(signal);
        return await tapped.read(path, start, end, signal);
      } catch (error) {
        throw explain(path, error);
      }
    },

    async *stream(path, spans, signal) {
      throwIfAborted(signal);
      let given = 0;
      const blob = await stored(path, signal);
      if (blob) {
        const open = await blob.open?.();
        if (!open) return yield* readAhead(this, path, spans, signal);
        try {
          for await (const bytes of streamOpen(open, spans)) {
            throwIfAborted(signal);
            given++;
            yield bytes;
          }
          return;
        } catch {
          throwIfAborted(signal);
          // It comes from the remote folder from here on.
          await dropDamaged(path);
        }
      }
      try {
        await begin(path, signal);
        throwIfAborted(signal);
        yield* streamSpans(tapped, path, spans.slice(given), signal);
      } catch (error) {
        throw explain(path, error);
      }
    },

    async readAll(path, maxBytes, signal) {
      throwIfAborted(signal);
      if (manifest && !manifest.has(path)) return null;
      const whole = ({ size }: StoredBlob): [number, number] => {
        if (size > maxBytes) throw fileTooLarge(path, maxBytes);
        return [0, size];
      };
      const bytes = await readStored(path, whole, signal);
      if (bytes) return bytes;
      try {
        return await askRemote(path, async () => {
          await askAfterAll(signal);
          return tapped.readAll(path, maxBytes, signal);
        });
      } catch (error) {
        throw explain(path, error);
      }
    },

    async finish(path, signal) {
      if (await stored(path, signal)) return;
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

/** Spans of a stored file, which is closed behind the last, or when the reader leaves. */
async function* streamOpen(blob: OpenBlob, spans: readonly Span[]): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* takeTurns(spans, (index, memory) => blob.read(spans[index]!.start, spans[index]!.end, memory), CHECKING_BYTES);
  } finally {
    blob.close();
  }
}
