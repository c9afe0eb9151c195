import { NvlmError } from '../errors.ts';
import type { Manifest } from './manifest.ts';
import { createHasher } from './sha256.ts';
import type { ModelFiles } from './source.ts';
import { tapFiles } from './tapped-files.ts';

function mismatch(path: string, id: string): NvlmError {
  return new NvlmError(
    'corrupt-file',
    `${path} of ${id} is not the file that the model's manifest lists.`,
    'Load the model again; if it stays so, the copy on the server is damaged.',
  );
}

/**
 * Holds every file to the manifest: sizes before anything is read, sha256 while it is streamed (the verdict falls in
 * `finish` and `readAll`). Files that the manifest does not list do not exist.
 */
export function checkedFiles(inner: ModelFiles, manifest: Manifest): ModelFiles {
  const tapped = tapFiles(inner, {
    wants: () => true,
    async open(path, size) {
      const { size: wanted, sha256 } = manifest.get(path)!;
      if (size !== wanted) throw mismatch(path, inner.id);
      const hasher = createHasher();
      return {
        write: async (bytes) => hasher.update(bytes),
        async close() {
          if (hasher.digest() !== sha256) throw mismatch(path, inner.id);
        },
        abort: async () => undefined,
      };
    },
  });
  return {
    ...tapped,
    size: async (path) => manifest.get(path)?.size ?? null,
    async read(path, start, end, signal) {
      if (!manifest.has(path))
        throw new NvlmError('not-found', `${inner.id} has no ${path}.`, 'Check the name of the file.');
      return tapped.read(path, start, end, signal);
    },
    async readAll(path, maxBytes, signal) {
      if (!manifest.has(path)) return null;
      return tapped.readAll(path, maxBytes, signal);
    },
  };
}
