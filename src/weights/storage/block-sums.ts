import type { BlobStore, StoredBlob } from './store.ts';

/** The unit of checking: a read that begins or ends inside a block takes the whole of it. */
export const BLOCK_BYTES = 2 ** 20;
/** Hex digits of a SHA-256. */
const SUM_DIGITS = 64;
/** Blocks at hand for the next reads: neighbours share one, and a few are on their way at a time. */
const KEPT_BLOCKS = 6;

/** WebCrypto's takes no file piece by piece, but it is native and works beside this thread, which a block is enough for. */
async function sumOf(block: Uint8Array): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', block as Uint8Array<ArrayBuffer>));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What lies in memory needs no sums, and where nothing but memory is offered there is no WebCrypto either. */
function isOnDisk(store: BlobStore): boolean {
  return store.kind !== 'memory';
}

/** The sums of a file's blocks, taken while it is written: see {@link checkedBlob}. */
export interface BlockSums {
  /** The next bytes of the file; those that lie in the store already too. They may be reused once this has resolved. */
  add(bytes: Uint8Array): Promise<void>;
  /** For `BlobWriter.commit`. */
  end(): Promise<string>;
}

/** @param size bytes of the file */
export function blockSums(store: BlobStore, size: number): BlockSums {
  if (!isOnDisk(store)) return { add: () => Promise.resolve(), end: () => Promise.resolve('') };
  const block = new Uint8Array(Math.min(size, BLOCK_BYTES));
  let filled = 0;
  let sums = '';
  const flush = async () => {
    sums += await sumOf(block.subarray(0, filled));
    filled = 0;
  };
  return {
    async add(bytes) {
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + block.length - filled);
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === block.length) await flush();
      }
    },
    async end() {
      if (filled > 0) await flush();
      return sums;
    },
  };
}

/**
 * A stored file whose blocks are compared with their sums before any byte of them is given out: disks flip bits, and
 * what a length alone vouches for may be another tab's half-written version. Reads reject where the sums do not hold.
 */
export function checkedBlob(store: BlobStore, blob: StoredBlob): StoredBlob {
  if (!isOnDisk(store)) return blob;
  const { size, sums } = blob;
  const blocks = new Map<number, Promise<Uint8Array>>();

  async function readBlock(index: number): Promise<Uint8Array> {
    const start = index * BLOCK_BYTES;
    const block = await blob.read(start, Math.min(size, start + BLOCK_BYTES));
    if ((await sumOf(block)) !== sums.slice(index * SUM_DIGITS, (index + 1) * SUM_DIGITS)) {
      throw new RangeError('the stored bytes are not those that were stored');
    }
    return block;
  }

  function blockAt(index: number): Promise<Uint8Array> {
    let block = blocks.get(index);
    if (!block) {
      block = readBlock(index);
      blocks.set(index, block);
      const [oldest] = blocks.keys();
      if (blocks.size > KEPT_BLOCKS) blocks.delete(oldest!);
    }
    return block;
  }

  return {
    ...blob,
    async read(start, end) {
      if (end > size) throw new RangeError(`${end} is past the end`);
      const bytes = new Uint8Array(end - start);
      const parts: Promise<void>[] = [];
      for (let index = Math.floor(start / BLOCK_BYTES); index * BLOCK_BYTES < end; index++) {
        const from = index * BLOCK_BYTES;
        const copy = (block: Uint8Array) =>
          bytes.set(block.subarray(Math.max(0, start - from), end - from), Math.max(0, from - start));
        parts.push(blockAt(index).then(copy));
      }
      await Promise.all(parts);
      return bytes;
    },
  };
}
