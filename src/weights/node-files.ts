import { closeSync, openSync, readSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { throwIfAborted } from '../errors.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { checkSpan, fileTooLarge, missingFile, shortFile } from './source.ts';

/** A model folder on disk, for Node. Reads go straight to the file at their offset; nothing is cached. */
export function nodeFiles(folder: string, id = folder): ModelFiles {
  async function size(path: string): Promise<number | null> {
    const info = await stat(join(folder, checkFilePath(path))).catch(() => null);
    return info?.isFile() ? info.size : null;
  }

  async function read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkSpan(path, start, end);
    throwIfAborted(signal);
    // Opened for each read: next to reading megabytes it costs nothing, and no handle is left behind.
    const handle = await open(join(folder, checkFilePath(path)), 'r').catch((cause: unknown) => {
      throw Object.assign(missingFile(path, folder), { cause });
    });
    try {
      const bytes = new Uint8Array(end - start);
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
        throwIfAborted(signal);
        if (bytesRead === 0) throw shortFile(path, end, start + done);
        done += bytesRead;
      }
      return bytes;
    } finally {
      await handle.close();
    }
  }

  function readNow(path: string, start: number, end: number): Uint8Array {
    checkSpan(path, start, end);
    const file = openSync(join(folder, checkFilePath(path)), 'r');
    try {
      const bytes = new Uint8Array(end - start);
      for (let done = 0; done < bytes.length; ) {
        const got = readSync(file, bytes, done, bytes.length - done, start + done);
        if (got === 0) throw shortFile(path, end, start + done);
        done += got;
      }
      return bytes;
    } finally {
      closeSync(file);
    }
  }

  return {
    id,
    readNow,
    async list() {
      const entries = await readdir(folder, { withFileTypes: true, recursive: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
        .sort();
    },
    size,
    read,
    async readAll(path, maxBytes, signal) {
      const bytes = await size(path);
      if (bytes === null) return null;
      if (bytes > maxBytes) throw fileTooLarge(path, maxBytes);
      return read(path, 0, bytes, signal);
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
    isStored: () => false,
  };
}
