import type { Lock } from './locks.ts';
import { checkQuota } from './quota.ts';
import type { BlobStore, StoredUsage } from './store.ts';
import { isUnder, storageError, wrongLength } from './store.ts';

/** `~` never occurs in a model's own file names, see `checkFilePath`. */
const MARK = '~committed';

interface Mark {
  size: number;
  version: string;
}

/** In-order writing to one OPFS file: in place with a sync handle in workers, through a swap file elsewhere. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** The part used here; TypeScript's page library leaves it out, because only workers have it. */
interface WorkerFileHandle {
  createSyncAccessHandle?(): Promise<{
    write(bytes: Uint8Array, options: { at: number }): number;
    truncate(size: number): void;
    flush(): void;
    close(): void;
  }>;
}

async function openSink(file: FileSystemFileHandle & WorkerFileHandle): Promise<Sink> {
  if (file.createSyncAccessHandle) {
    const handle = await file.createSyncAccessHandle();
    handle.truncate(0);
    let at = 0;
    return {
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
  return { write: (bytes) => stream.write(bytes as Uint8Array<ArrayBuffer>), close: () => stream.close() };
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError');
}

/**
 * Files in the origin private file system. Beside each file lies a mark with its length, written after the file has
 * been flushed; a file without a mark, or of another length (a tab that died, a disk that filled up), does not count.
 */
export function opfsStore(root: FileSystemDirectoryHandle, lock: Lock): BlobStore {
  async function folderOf(path: string, create: boolean): Promise<[FileSystemDirectoryHandle, string]> {
    const segments = path.split('/');
    const name = segments.pop()!;
    let folder = root;
    for (const segment of segments) folder = await folder.getDirectoryHandle(segment, { create });
    return [folder, name];
  }

  /** The file's handle, or null. */
  async function fileAt(path: string): Promise<File | null> {
    try {
      const [folder, name] = await folderOf(path, false);
      return await (await folder.getFileHandle(name)).getFile();
    } catch (error) {
      if (isMissing(error)) return null;
      throw storageError(error);
    }
  }

  async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
    try {
      await folder.removeEntry(name, { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw storageError(error);
    }
  }

  async function readMark(path: string): Promise<Mark | null> {
    const file = await fileAt(path + MARK);
    if (!file) return null;
    try {
      const mark = JSON.parse(await file.text()) as Partial<Mark>;
      return Number.isSafeInteger(mark.size) && typeof mark.version === 'string' ? (mark as Mark) : null;
    } catch {
      return null;
    }
  }

  async function writeMark(folder: FileSystemDirectoryHandle, name: string, mark: Mark): Promise<void> {
    const sink = await openSink(await folder.getFileHandle(name + MARK, { create: true }));
    try {
      await sink.write(new TextEncoder().encode(JSON.stringify(mark)));
    } finally {
      await sink.close();
    }
  }

  async function* walk(folder: FileSystemDirectoryHandle, prefix: string): AsyncGenerator<string> {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'directory') yield* walk(handle as FileSystemDirectoryHandle, `${prefix}${name}/`);
      else yield prefix + name;
    }
  }

  return {
    kind: 'opfs',

    async get(path) {
      const mark = await readMark(path);
      const file = mark && (await fileAt(path));
      if (!mark || !file || file.size !== mark.size) return null;
      return {
        ...mark,
        async read(start, end) {
          const bytes = new Uint8Array(await file.slice(start, end).arrayBuffer());
          if (bytes.length !== end - start) throw new RangeError(`${path} is shorter than it was`);
          return bytes;
        },
      };
    },

    async writer(path, size, version) {
      await checkQuota(size);
      const release = await lock(path);
      let sink: Sink;
      let folder: FileSystemDirectoryHandle;
      let name: string;
      try {
        [folder, name] = await folderOf(path, true);
        await remove(folder, name + MARK);
        sink = await openSink(await folder.getFileHandle(name, { create: true }));
      } catch (error) {
        release();
        throw storageError(error);
      }
      let at = 0;
      const discard = async () => {
        try {
          await sink.close();
        } catch {
          // Closing may itself run out of room; what counts is that the file goes.
        }
        await remove(folder, name).catch(() => undefined);
        release();
      };
      return {
        async append(bytes) {
          try {
            await sink.write(bytes);
          } catch (error) {
            throw storageError(error);
          }
          at += bytes.length;
        },
        async commit() {
          if (at !== size) {
            await discard();
            throw wrongLength(path, size, at);
          }
          try {
            await sink.close();
            await writeMark(folder, name, { size, version });
          } catch (error) {
            await remove(folder, name + MARK).catch(() => undefined);
            await discard();
            throw storageError(error);
          }
          release();
        },
        abort: discard,
      };
    },

    async delete(prefix) {
      const locked: (() => void)[] = [];
      try {
        for await (const path of walk(root, '')) {
          if (!path.endsWith(MARK) && isUnder(path, prefix)) locked.push(await lock(path));
        }
        const [folder, name] = await folderOf(prefix, false);
        await remove(folder, name + MARK);
        await remove(folder, name);
      } catch (error) {
        if (!isMissing(error)) throw storageError(error);
      } finally {
        for (const release of locked) release();
      }
    },

    async usage() {
      const found: StoredUsage[] = [];
      for await (const path of walk(root, '')) {
        if (!path.endsWith(MARK)) continue;
        const mark = await readMark(path.slice(0, -MARK.length));
        if (mark) found.push({ path: path.slice(0, -MARK.length), bytes: mark.size });
      }
      return found;
    },
  };
}
