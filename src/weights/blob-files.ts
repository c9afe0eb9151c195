import { NvlmError, throwIfAborted } from '../errors.ts';
import { unlessAborted } from './back-off.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { checkSpan, fileTooLarge, missingFile, shortFile } from './source.ts';

/** What a file input (`webkitdirectory`) or a drop gives: a file and where it lay in the chosen folder. */
export interface PickedFile {
  /** e.g. `my-model/config.json`; a bare name when single files were chosen. */
  path: string;
  blob: Blob;
}

/** The folder that holds config.json, the outermost one when there are several; '' for the top. */
function modelRoot(paths: string[]): string {
  const roots = paths.filter((path) => path === 'config.json' || path.endsWith('/config.json'));
  roots.sort((a, b) => a.split('/').length - b.split('/').length);
  return roots[0]?.slice(0, -'config.json'.length) ?? '';
}

/** A folder or files that the user dropped or chose in the page. Bytes are read from disk as they are wanted. */
export function blobFiles(picked: readonly PickedFile[], id: string): ModelFiles {
  const root = modelRoot(picked.map(({ path }) => path));
  const blobs = new Map<string, Blob>();
  for (const { path, blob } of picked) if (path.startsWith(root)) blobs.set(path.slice(root.length), blob);

  async function bytesOf(path: string, blob: Blob, signal?: AbortSignal): Promise<Uint8Array> {
    try {
      return new Uint8Array(await unlessAborted(blob.arrayBuffer(), signal));
    } catch (cause) {
      if (cause instanceof NvlmError) throw cause;
      // Browsers refuse files that changed or went away after they were chosen.
      throw new NvlmError('corrupt-file', `${path} can no longer be read.`, 'Choose the folder again.', { cause });
    }
  }

  return {
    id,
    list: async () => [...blobs.keys()].sort(),
    size: async (path) => blobs.get(checkFilePath(path))?.size ?? null,
    async read(path, start, end, signal) {
      checkSpan(path, start, end);
      throwIfAborted(signal);
      const blob = blobs.get(checkFilePath(path));
      if (!blob) throw missingFile(path, id);
      const bytes = await bytesOf(path, blob.slice(start, end), signal);
      if (bytes.length !== end - start) throw shortFile(path, end, start + bytes.length);
      return bytes;
    },
    async readAll(path, maxBytes, signal) {
      throwIfAborted(signal);
      const blob = blobs.get(checkFilePath(path));
      if (!blob) return null;
      if (blob.size > maxBytes) throw fileTooLarge(path, maxBytes);
      return bytesOf(path, blob, signal);
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
    isStored: () => false,
  };
}
