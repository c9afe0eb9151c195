import type { BlobStore, OpenBlob, StoredBlob } from './store.ts';

/** The unit of checking: a read that begins or ends inside a block takes the whole of it, so they are small beside reads. */
export const BLOCK_BYTES = 2 ** 18;
/** What memory for reading a {@link checkedBlob} that is open must have beyond the bytes that are read: the rest of two blocks. */
export const CHECKING_BYTES = 2 * BLOCK_BYTES;
/** Hex digits of a sum: half of a SHA-256, which no accident meets. Whoever could forge one could as well write the sums. */
const SUM_DIGITS = 32;

/** WebCrypto's takes no file piece by piece, but it is native, and a block is enough for it. */
async function sumOf(block: Uint8Array): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', block as Uint8Array<ArrayBuffer>), 0, SUM_DIGITS / 2);
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
  return {
    async add(bytes) {
      // A digest copies its block at once, so that the next can be gathered where it is computed on another thread.
      const whole: Promise<string>[] = [];
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + block.length - filled);
        if (part.length === block.length) {
          // Nothing to gather.
          whole.push(sumOf(part));
          at += part.length;
          continue;
        }
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < block.length) continue;
        whole.push(sumOf(block));
        filled = 0;
      }
      sums += (await Promise.all(whole)).join('');
    },
    async end() {
      return filled > 0 ? sums + (await sumOf(block.subarray(0, filled))) : sums;
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
  /** Blocks that have been found right: neighbouring reads share one. */
  const right = new Set<number>();

  async function checkBlock(index: number, block: Uint8Array): Promise<void> {
    if (right.has(index)) return;
    if ((await sumOf(block)) !== sums.slice(index * SUM_DIGITS, (index + 1) * SUM_DIGITS)) {
      throw new RangeError('the stored bytes are not those that were stored');
    }
    right.add(index);
  }

  async function read(start: number, end: number, readBlocks: StoredBlob['read']): Promise<Uint8Array> {
    if (end > size) throw new RangeError(`${end} is past the end`);
    if (start === end) return new Uint8Array(0);
    const first = Math.floor(start / BLOCK_BYTES);
    const from = first * BLOCK_BYTES;
    const bytes = await readBlocks(from, Math.min(size, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES));
    const checks: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      checks.push(checkBlock(first + at / BLOCK_BYTES, bytes.subarray(at, at + BLOCK_BYTES)));
    }
    await Promise.all(checks);
    return bytes.subarray(start - from, end - from);
  }

  return {
    ...blob,
    read: (start, end) => read(start, end, blob.read),
    async open(): Promise<OpenBlob | null> {
      const opened = (await blob.open?.()) ?? null;
      return (
        opened && {
          read: (start, end, memory) => read(start, end, (from, to) => opened.read(from, to, memory)),
          close: opened.close,
        }
      );
    },
  };
}
