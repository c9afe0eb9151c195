import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RunFolder } from '../engine/train.ts';
import { NvlmError } from '../errors.ts';

/** A training run's folder on disk. Files are written beside their place and renamed into it. */
export function nodeRunFolder(folder: string): RunFolder {
  return {
    async read(path) {
      try {
        const bytes = await readFile(join(folder, path));
        return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw unusable(path, error);
      }
    },
    write: (path, bytes) => writeWhole(path, [bytes]),
    writeParts: writeWhole,
    async append(path, text) {
      await appendFile(join(folder, path), text).catch((error: unknown) => {
        throw unusable(path, error);
      });
    },
  };

  async function writeWhole(path: string, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const target = join(folder, path);
    const unfinished = `${target}.${process.pid}.tmp`;
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
    const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC';
    return new NvlmError(
      full ? 'storage-full' : 'usage',
      `${join(folder, path)} cannot be read or written: ${(cause as Error).message}.`,
      full ? 'Free some space and resume.' : 'Give another --out, or check its permissions.',
      { cause },
    );
  }
}
