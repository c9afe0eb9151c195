import { createLock } from './locks.ts';
import type { BlobStore } from './store.ts';
import { notEnoughRoom } from '../quota.ts';
import { isUnder, wrongLength } from './store.ts';

/** Room for the bundled models and little more: what lies here is heap. */
const DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024;

interface MemoryFile {
  version: string;
  sums: string;
  bytes: Uint8Array;
}

/** A suspended file; `bytes` has its full size. */
interface PartialFile extends Omit<MemoryFile, 'sums'> {
  at: number;
}

/** The last resort where a browser offers no storage (private windows, opaque origins): lasts as long as the tab. */
export function memoryStore(limitBytes = DEFAULT_LIMIT_BYTES): BlobStore {
  const files = new Map<string, MemoryFile>();
  const partials = new Map<string, PartialFile>();
  const lock = createLock(undefined);
  let reserved = 0;

  return {
    kind: 'memory',
    async get(path) {
      const file = files.get(path);
      if (!file) return null;
      const { bytes, version, sums } = file;
      return {
        size: bytes.length,
        version,
        sums,
        async read(start, end) {
          if (end > bytes.length) throw new RangeError(`${end} is past the end of ${path}`);
          return bytes.slice(start, end);
        },
      };
    },
    async writer(path, size, version, { resume = false } = {}) {
      const release = await lock(path);
      const partial = partials.get(path);
      partials.delete(path);
      const freeBytes = () =>
        [...files, ...partials].reduce((free, [name, file]) => free - (name === path ? 0 : file.bytes.length), limitBytes - reserved);
      // What was begun and left is worth less than what is wanted now.
      if (size > freeBytes()) partials.clear();
      if (size > freeBytes()) {
        release();
        throw notEnoughRoom(size, freeBytes());
      }
      files.delete(path);
      reserved += size;
      const goesOn = resume && partial?.version === version && partial.bytes.length === size;
      const bytes = goesOn ? partial.bytes : new Uint8Array(size);
      const start = goesOn ? partial.at : 0;
      let at = start;
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        reserved -= size;
        release();
      };
      return {
        start,
        async readKept(from, to) {
          if (to > start) throw new RangeError(`${to} is past what is kept of ${path}`);
          return bytes.slice(from, to);
        },
        async append(piece) {
          if (at + piece.length > size) throw wrongLength(path, size, at + piece.length);
          bytes.set(piece, at);
          at += piece.length;
        },
        async commit(sums = '') {
          end();
          if (at !== size) throw wrongLength(path, size, at);
          files.set(path, { version, sums, bytes });
        },
        abort: async () => end(),
        async suspend() {
          if (open && resume && at > 0) partials.set(path, { version, bytes, at });
          end();
        },
      };
    },
    async delete(prefix) {
      for (const kept of [files, partials]) {
        for (const path of [...kept.keys()]) if (isUnder(path, prefix)) kept.delete(path);
      }
    },
    usage: async () => [...files, ...partials].map(([path, { bytes }]) => ({ path, bytes: bytes.length })),
  };
}
