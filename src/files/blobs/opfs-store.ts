import { fileAt, filesBelow, isMissing, placeOf, removeEntry, type OpenPrivateFolder } from '../private-storage.ts';
import type { Lock } from './locks.ts';
import { checkQuota } from '../quota.ts';
import type { BlobStore, OpenBlob, StoredUsage } from './store.ts';
import { isUnder, storageError, wrongLength } from './store.ts';

/** `~` never occurs in a model's own file names, see `checkFilePath`. */
const MARK = '~committed';
/** Of the same form, while the file is being written: what it is to become. How much of it is there, its length says. */
const PARTIAL_MARK = '~partial';

interface Mark {
  size: number;
  version: string;
  /** '' beside an unfinished file. */
  sums: string;
}

/** In-order writing to one OPFS file: in place with a sync handle in workers, through a swap file elsewhere. */
interface Sink {
  /** Bytes that were there and stay. */
  start: number;
  /** [start, end) of them; null where what is written cannot be seen, nor survive, before the end. */
  read: ((start: number, end: number) => Uint8Array) | null;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** The part used here; TypeScript's page library leaves it out, because only workers have it. */
interface WorkerFileHandle {
  /** `mode` is known to Chromium alone; elsewhere a file has one handle, whatever it is for. */
  createSyncAccessHandle?(options?: { mode: 'read-only' }): Promise<{
    read(bytes: Uint8Array, options: { at: number }): number;
    write(bytes: Uint8Array, options: { at: number }): number;
    getSize(): number;
    truncate(size: number): void;
    flush(): void;
    close(): void;
  }>;
}

/** Reads of a file that lies open pass no other process: several times as fast as slices of a `File`. Null outside of workers. */
async function openForReading(file: FileSystemFileHandle & WorkerFileHandle): Promise<OpenBlob | null> {
  const handle = await file.createSyncAccessHandle?.({ mode: 'read-only' });
  if (!handle) return null;
  return {
    async read(start, end, memory) {
      const bytes = new Uint8Array(memory, 0, end - start);
      if (handle.read(bytes, { at: start }) < bytes.length) throw new RangeError('the file is shorter than it was');
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** @param keep at most so many bytes of what is there */
async function openSink(file: FileSystemFileHandle & WorkerFileHandle, keep = 0): Promise<Sink> {
  if (file.createSyncAccessHandle) {
    const handle = await file.createSyncAccessHandle();
    const start = Math.min(keep, handle.getSize());
    handle.truncate(start);
    let at = start;
    return {
      start,
      read(from, to) {
        const bytes = new Uint8Array(to - from);
        if (handle.read(bytes, { at: from }) < bytes.length) throw new RangeError('the file is shorter than it was');
        return bytes;
      },
      async write(bytes) {
        const written = handle.write(bytes, { at });
        at += written;
        if (written < bytes.length) throw new DOMException('short write', 'QuotaExceededError');
      },
      async close() {
        handle.flush();
        handle.close();
      },
    };
  }
  const stream = await file.createWritable();
  return {
    start: 0,
    read: null,
    write: (bytes) => stream.write(bytes as Uint8Array<ArrayBuffer>),
    close: () => stream.close(),
  };
}

/**
 * Files in the origin private file system. Beside each file lies a mark with its length, written after the file has
 * been flushed; a file without a mark, or of another length (a tab that died, a disk that filled up), does not count.
 * Writing is in order and in place, so what a dead tab left is a prefix of the file: a writer of the same version may go
 * on behind it.
 */
export function opfsStore(open: OpenPrivateFolder, lock: Lock): BlobStore {
  async function stored(path: string): Promise<File | null> {
    try {
      return await fileAt(open, path);
    } catch (error) {
      throw storageError(error);
    }
  }

  async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
    try {
      await removeEntry(folder, name);
    } catch (error) {
      throw storageError(error);
    }
  }

  async function readMark(path: string, kind = MARK): Promise<Mark | null> {
    const file = await stored(path + kind);
    if (!file) return null;
    try {
      const mark = JSON.parse(await file.text()) as Partial<Mark>;
      const sound = [mark.version, mark.sums].every((text) => typeof text === 'string');
      return sound && Number.isSafeInteger(mark.size) ? (mark as Mark) : null;
    } catch {
      return null;
    }
  }

  async function writeMark(folder: FileSystemDirectoryHandle, name: string, mark: Mark): Promise<void> {
    const sink = await openSink(await folder.getFileHandle(name, { create: true }));
    try {
      await sink.write(new TextEncoder().encode(JSON.stringify(mark)));
    } finally {
      await sink.close();
    }
  }

  /** Bytes of this very file that an earlier writer left. */
  async function keptBytes(path: string, { size, version }: Mark): Promise<number> {
    const mark = await readMark(path, PARTIAL_MARK);
    if (mark?.size !== size || mark.version !== version) return 0;
    const left = (await stored(path))?.size ?? 0;
    return left <= size ? left : 0;
  }

  return {
    kind: 'opfs',

    async get(path) {
      const mark = await readMark(path);
      const file = mark && (await stored(path));
      if (!mark || !file || file.size !== mark.size) return null;
      return {
        ...mark,
        async read(start, end) {
          const bytes = new Uint8Array(await file.slice(start, end).arrayBuffer());
          if (bytes.length !== end - start) throw new RangeError(`${path} is shorter than it was`);
          return bytes;
        },
        async open() {
          try {
            const place = await placeOf(open, path, false);
            return place && (await openForReading(await place[0].getFileHandle(place[1])));
          } catch {
            // Another tab has it open, or it is gone, which reading it will show.
            return null;
          }
        },
      };
    },

    async writer(path, size, version, { resume = false } = {}) {
      const mark = { size, version, sums: '' };
      const release = await lock(path);
      let sink: Sink;
      let folder: FileSystemDirectoryHandle;
      let name: string;
      try {
        const kept = resume ? await keptBytes(path, mark) : 0;
        await checkQuota(size - kept);
        [folder, name] = (await placeOf(open, path, true))!;
        await remove(folder, name + MARK);
        // Never beside bytes of another version: first the old mark goes, then those, then the new mark comes.
        if (kept === 0) await remove(folder, name + PARTIAL_MARK);
        sink = await openSink(await folder.getFileHandle(name, { create: true }), kept);
        if (resume && sink.read && sink.start === 0) await writeMark(folder, name + PARTIAL_MARK, mark);
      } catch (error) {
        release();
        throw storageError(error);
      }
      let at = sink.start;
      const discard = async () => {
        try {
          await sink.close();
        } catch {
          // Closing may itself run out of room; what counts is that the file goes.
        }
        await remove(folder, name + PARTIAL_MARK).catch(() => undefined);
        await remove(folder, name).catch(() => undefined);
        release();
      };
      return {
        start: sink.start,
        async readKept(from, to) {
          if (!sink.read || to > sink.start) throw new RangeError(`${to} is past what is kept of ${path}`);
          return sink.read(from, to);
        },
        async append(bytes) {
          try {
            await sink.write(bytes);
          } catch (error) {
            throw storageError(error);
          }
          at += bytes.length;
        },
        async commit(sums = '') {
          if (at !== size) {
            await discard();
            throw wrongLength(path, size, at);
          }
          try {
            await sink.close();
            await writeMark(folder, name + MARK, { ...mark, sums });
            await remove(folder, name + PARTIAL_MARK);
          } catch (error) {
            await remove(folder, name + MARK).catch(() => undefined);
            await discard();
            throw storageError(error);
          }
          release();
        },
        abort: discard,
        async suspend() {
          if (!resume || !sink.read || at === 0) return discard();
          try {
            await sink.close();
          } catch {
            // Whatever has reached the file is a prefix of it all the same.
          }
          release();
        },
      };
    },

    async delete(prefix) {
      const locked: (() => void)[] = [];
      try {
        for await (const path of filesBelow(await open())) {
          if (!path.includes('~') && isUnder(path, prefix)) locked.push(await lock(path));
        }
        const place = await placeOf(open, prefix, false);
        if (!place) return;
        const [folder, name] = place;
        await remove(folder, name + MARK);
        await remove(folder, name + PARTIAL_MARK);
        await remove(folder, name);
      } catch (error) {
        if (!isMissing(error)) throw storageError(error);
      } finally {
        for (const release of locked) release();
      }
    },

    async usage() {
      const found: StoredUsage[] = [];
      for await (const marked of filesBelow(await open())) {
        const kind = [MARK, PARTIAL_MARK].find((suffix) => marked.endsWith(suffix));
        if (!kind) continue;
        const path = marked.slice(0, -kind.length);
        // A file that another worker has open may not be readable; it counts again afterwards.
        const bytes = kind === MARK ? (await readMark(path))?.size : (await stored(path).catch(() => null))?.size;
        if (bytes !== undefined && !found.some((file) => file.path === path)) found.push({ path, bytes });
      }
      return found;
    },
  };
}
