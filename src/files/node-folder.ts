import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NvlmError } from '../errors.ts';
import { byPath, isBelow, pathParts } from './file-path.ts';
import type { Folder } from './folder.ts';
import { noRoom } from './quota.ts';

/** A folder on disk. Files are written beside their place and renamed into it. */
export function nodeFolder(folder: string): Folder {
  const placeOf = (path: string) => join(folder, ...pathParts(path));

  async function writeWhole(path: string, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const target = placeOf(path);
    const unfinished = `${target}.${process.pid}${UNFINISHED}`;
    try {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(unfinished, parts, { flush: true });
      await rename(unfinished, target);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error instanceof NvlmError ? error : unusable(path, error);
    }
  }

  function unusable(path: string, cause: unknown): NvlmError {
    const what = `${placeOf(path)} cannot be read or written: ${(cause as Error).message}.`;
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') return noRoom(what, cause);
    return new NvlmError('usage', what, 'Give another folder, or check its permissions.', { cause });
  }

  return {
    async read(path) {
      try {
        const bytes = await readFile(placeOf(path));
        return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      } catch (error) {
        if (isMissing(error)) return null;
        throw unusable(path, error);
      }
    },

    write: (path, bytes) => writeWhole(path, [bytes]),
    writeParts: writeWhole,

    async append(path, text) {
      try {
        await mkdir(dirname(placeOf(path)), { recursive: true });
        await appendFile(placeOf(path), text);
      } catch (error) {
        throw unusable(path, error);
      }
    },

    async list(path) {
      const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw unusable(path ?? '.', error);
      });
      const found: { path: string; bytes: number }[] = [];
      for (const entry of names) {
        if (!entry.isFile() || entry.name.endsWith(UNFINISHED)) continue;
        const place = join(entry.parentPath, entry.name);
        const inside = place.slice(join(folder, '/').length).replaceAll('\\', '/');
        if (isBelow(inside, path)) found.push({ path: inside, bytes: (await stat(place)).size });
      }
      return found.sort(byPath);
    },

    async remove(path) {
      await rm(placeOf(path), { recursive: true, force: true });
    },
  };
}

const UNFINISHED = '.tmp';

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
