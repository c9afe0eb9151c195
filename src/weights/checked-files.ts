import { NvlmError } from '../errors.ts';
import { createGitHasher, createHasher } from './hasher.ts';
import { UnknownSize } from './http-files.ts';
import type { Manifest } from './manifest.ts';
import { streamSpans, type ModelFiles } from './source.ts';
import { tapFiles } from './tapped-files.ts';

function mismatch(path: string, id: string): NvlmError {
  return new NvlmError(
    'corrupt-file',
    `${path} of ${id} is not the file that the model's list of files promises.`,
    'Load the model again; if it stays so, the copy on the server is damaged.',
  );
}

function unlisted(path: string, id: string): NvlmError {
  return new NvlmError('not-found', `${id} has no ${path}.`, 'Check the name of the file.');
}

/**
 * Holds every file to the manifest: sizes before anything is read, hashes while it is streamed (the verdict falls in
 * `finish` and `readAll`). Files that the manifest does not list do not exist.
 */
export function checkedFiles(inner: ModelFiles, manifest: Manifest): ModelFiles {
  const sized: ModelFiles = {
    ...inner,
    async size(path, signal) {
      try {
        return await inner.size(path, signal);
      } catch (error) {
        if (error instanceof UnknownSize) return manifest.get(path)!.size;
        throw error;
      }
    },
  };
  const tapped = tapFiles(sized, {
    wants: () => true,
    async open(path, size) {
      const { size: wanted, hash } = manifest.get(path)!;
      if (size !== wanted) throw mismatch(path, inner.id);
      const hasher = hash.length === 64 ? createHasher() : createGitHasher(size);
      return {
        write: async (bytes) => hasher.update(bytes),
        async close() {
          if (hasher.digest() !== hash) throw mismatch(path, inner.id);
        },
        abort: async () => undefined,
      };
    },
  });
  return {
    ...tapped,
    size: async (path) => manifest.get(path)?.size ?? null,
    async read(path, start, end, signal) {
      if (!manifest.has(path)) throw unlisted(path, inner.id);
      return tapped.read(path, start, end, signal);
    },
    async *stream(path, spans, signal) {
      if (!manifest.has(path)) throw unlisted(path, inner.id);
      yield* streamSpans(tapped, path, spans, signal);
    },
    async readAll(path, maxBytes, signal) {
      if (!manifest.has(path)) return null;
      return tapped.readAll(path, maxBytes, signal);
    },
  };
}
