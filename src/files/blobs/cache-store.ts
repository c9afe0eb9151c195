import type { Lock } from './locks.ts';
import { checkQuota } from '../quota.ts';
import type { BlobStore, StoredUsage } from './store.ts';
import { isUnder, storageError, wrongLength } from './store.ts';

/** Entries are read whole, so a file is kept in pieces of this size. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Never fetched: a host that cannot exist, as the Cache API wants addresses for keys. */
const ORIGIN = 'https://nvlm.invalid/';

interface Mark {
  size: number;
  version: string;
  sums: string;
}

/**
 * Files in the Cache API, for browsers without OPFS. A file is a row of pieces and a mark with its length, written
 * last.
 */
export function cacheStore(cache: Cache, lock: Lock): BlobStore {
  const base = (path: string) => ORIGIN + path.split('/').map(encodeURIComponent).join('/');
  const pieceKey = (path: string, index: number) => `${base(path)}?piece=${index}`;
  const markKey = (path: string) => `${base(path)}?mark`;
  const pathOfKey = (url: URL) => url.pathname.slice(1).split('/').map(decodeURIComponent).join('/');

  async function readMark(path: string): Promise<Mark | null> {
    const response = await cache.match(markKey(path));
    return response ? ((await response.json()) as Mark) : null;
  }

  async function readPiece(path: string, index: number, bytes: number): Promise<Uint8Array> {
    const response = await cache.match(pieceKey(path, index));
    const piece = response && new Uint8Array(await response.arrayBuffer());
    if (piece?.length !== bytes) throw new RangeError(`${path} is shorter than it was`);
    return piece;
  }

  async function put(key: string, body: Uint8Array | string): Promise<void> {
    try {
      await cache.put(key, new Response(body as BodyInit));
    } catch (error) {
      throw storageError(error);
    }
  }

  async function removeAll(prefix: string): Promise<void> {
    const requests = await cache.keys();
    const doomed = requests.filter((request) => isUnder(pathOfKey(new URL(request.url)), prefix));
    // Marks first: a file that is half deleted must not count.
    doomed.sort((a, b) => Number(b.url.endsWith('?mark')) - Number(a.url.endsWith('?mark')));
    for (const request of doomed) await cache.delete(request);
  }

  return {
    kind: 'cache',

    async get(path) {
      const mark = await readMark(path);
      if (!mark) return null;
      const { size } = mark;
      /** The piece that was read last: reads are shorter, and follow each other. */
      let last: { index: number; piece: Promise<Uint8Array> } | null = null;
      return {
        ...mark,
        async read(start, end) {
          if (end > size) throw new RangeError(`${end} is past the end of ${path}`);
          const out = new Uint8Array(end - start);
          for (let at = start; at < end; ) {
            const index = Math.floor(at / PIECE_BYTES);
            const from = index * PIECE_BYTES;
            if (last?.index !== index) last = { index, piece: readPiece(path, index, Math.min(PIECE_BYTES, size - from)) };
            const piece = await last.piece.catch((error: unknown) => {
              last = null;
              throw error;
            });
            const part = piece.subarray(at - from, end - from);
            out.set(part, at - start);
            at += part.length;
          }
          return out;
        },
      };
    },

    async writer(path, size, version) {
      await checkQuota(size);
      const release = await lock(path);
      try {
        await removeAll(path);
      } catch (error) {
        release();
        throw storageError(error);
      }
      const piece = new Uint8Array(Math.min(PIECE_BYTES, size));
      let filled = 0;
      let index = 0;
      const flush = async () => {
        await put(pieceKey(path, index++), piece.slice(0, filled));
        filled = 0;
      };
      const discard = async () => {
        await removeAll(path).catch(() => undefined);
        release();
      };
      const written = () => index * PIECE_BYTES + filled;
      return {
        start: 0,
        readKept: () => Promise.reject(new RangeError(`nothing of ${path} is kept`)),
        async append(bytes) {
          for (let at = 0; at < bytes.length; ) {
            const part = bytes.subarray(at, at + piece.length - filled);
            if (part.length === 0) throw wrongLength(path, size, size + bytes.length - at);
            piece.set(part, filled);
            filled += part.length;
            at += part.length;
            if (filled === PIECE_BYTES) await flush();
          }
        },
        async commit(sums = '') {
          try {
            if (written() !== size) throw wrongLength(path, size, written());
            if (filled > 0) await flush();
            await put(markKey(path), JSON.stringify({ size, version, sums } satisfies Mark));
          } catch (error) {
            await discard();
            throw error;
          }
          release();
        },
        abort: discard,
        suspend: discard,
      };
    },

    async delete(prefix) {
      await removeAll(prefix);
    },

    async usage() {
      const found: StoredUsage[] = [];
      for (const request of await cache.keys()) {
        if (!request.url.endsWith('?mark')) continue;
        const path = pathOfKey(new URL(request.url));
        const mark = await readMark(path);
        if (mark) found.push({ path, bytes: mark.size });
      }
      return found;
    },
  };
}
