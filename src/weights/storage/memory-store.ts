import { createLock } from './locks.ts';
import type { BlobStore } from './store.ts';
import { isUnder, notEnoughRoom, wrongLength } from './store.ts';

/** Room for the bundled models and little more: what lies here is heap. */
const DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024;

interface MemoryFile {
  version: string;
  bytes: Uint8Array;
}

/** The last resort where a browser offers no storage (private windows, opaque origins): lasts as long as the tab. */
export function memoryStore(limitBytes = DEFAULT_LIMIT_BYTES): BlobStore {
  const files = new Map<string, MemoryFile>();
  const lock = createLock(undefined);
  let reserved = 0;

  return {
    kind: 'memory',
    async get(path) {
      const file = files.get(path);
      if (!file) return null;
      const { bytes, version } = file;
      return {
        size: bytes.length,
        version,
        async read(start, end) {
          if (end > bytes.length) throw new RangeError(`${end} is past the end of ${path}`);
          return bytes.slice(start, end);
        },
      };
    },
    async writer(path, size, version) {
      const release = await lock(path);
      const kept = [...files].reduce((sum, [name, file]) => sum + (name === path ? 0 : file.bytes.length), 0);
      const free = limitBytes - reserved - kept;
      if (size > free) {
        release();
        throw notEnoughRoom(size, free);
      }
      files.delete(path);
      reserved += size;
      const bytes = new Uint8Array(size);
      let at = 0;
      let open = true;
      const end = () => {
        if (open) reserved -= size;
        open = false;
        release();
      };
      return {
        async append(piece) {
          if (at + piece.length > size) throw wrongLength(path, size, at + piece.length);
          bytes.set(piece, at);
          at += piece.length;
        },
        async commit() {
          end();
          if (at !== size) throw wrongLength(path, size, at);
          files.set(path, { version, bytes });
        },
        abort: async () => end(),
      };
    },
    async delete(prefix) {
      for (const path of [...files.keys()]) if (isUnder(path, prefix)) files.delete(path);
    },
    usage: async () => [...files].map(([path, { bytes }]) => ({ path, bytes: bytes.length })),
  };
}
