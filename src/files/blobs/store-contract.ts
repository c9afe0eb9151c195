import { NvlmError } from '../../errors.ts';
import type { BlobStore } from './store.ts';

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`the store breaks its contract: ${what}`);
}

async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return 'done';
  } catch (error) {
    return error instanceof NvlmError ? error.code : String(error);
  }
}

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed) & 0xff);
}

async function put(store: BlobStore, path: string, bytes: Uint8Array, version: string): Promise<void> {
  const writer = await store.writer(path, bytes.length, version);
  const scratch = new Uint8Array(700_001);
  for (let at = 0; at < bytes.length; at += scratch.length) {
    const part = scratch.subarray(0, Math.min(scratch.length, bytes.length - at));
    part.set(bytes.subarray(at, at + part.length));
    await writer.append(part);
    // The caller may use its memory again.
    part.fill(0);
  }
  await writer.commit();
}

/**
 * What every {@link BlobStore} must do, exercised under the folder `contract` and cleaned up. It needs no test
 * framework, so a page or a worker can run it on the real storage of a browser. @throws Error naming the broken rule
 */
export async function checkStoreContract(store: BlobStore): Promise<void> {
  await store.delete('contract');
  const path = 'contract/model/weights file.safetensors';
  const bytes = pattern(9_000_000, 7);
  try {
    check((await store.get(path)) === null, 'what was never written is not there');

    await put(store, path, bytes, 'v1');
    const blob = await store.get(path);
    check(blob?.size === bytes.length && blob.version === 'v1', 'size and version come back');
    for (const [start, end] of [
      [0, 8],
      [4_194_300, 4_194_310],
      [1, 8_999_999],
      [0, 0],
      [8_999_990, 9_000_000],
    ] as const) {
      const part = await blob.read(start, end);
      check(part.length === end - start, `[${start}, ${end}) has its length`);
      check(
        part.every((byte, i) => byte === bytes[start + i]),
        `[${start}, ${end}) has its bytes`,
      );
    }
    const mine = await blob.read(0, 4);
    mine.fill(255);
    check((await blob.read(0, 1))[0] === bytes[0], 'a reader may change what it was given');
    check((await codeOf(blob.read(8_999_999, 9_000_001))) !== 'done', 'reading past the end fails');

    const open = await blob.open?.();
    if (open) {
      const memory = new ArrayBuffer(5000);
      for (const [start, end] of [
        [4_194_300, 4_194_310],
        [8_995_000, 9_000_000],
      ] as const) {
        const part = await open.read(start, end, memory);
        check(part.buffer === memory && part.length === end - start, `[${start}, ${end}) comes into the given memory`);
        check(
          part.every((byte, i) => byte === bytes[start + i]),
          `[${start}, ${end}) has its bytes while it is open`,
        );
      }
      check((await codeOf(open.read(8_999_999, 9_000_001, memory))) !== 'done', 'reading past the end of what is open fails');
      open.close();
    }

    const half = await store.writer(path, 100, 'v2');
    await half.append(pattern(50, 1));
    check((await store.get(path)) === null, 'a file that is being written cannot be read');
    check((await codeOf(store.writer(path, 100, 'v3'))) === 'busy', 'a file has one writer');
    check((await codeOf(half.commit())) === 'internal', 'a short file is not committed');
    check((await store.get(path)) === null, 'a short file leaves nothing');

    const aborted = await store.writer(path, 100, 'v2');
    await aborted.append(pattern(100, 1));
    await aborted.abort();
    check((await store.get(path)) === null, 'an aborted file leaves nothing');

    await put(store, path, pattern(10, 3), 'v3');
    check((await store.get(path))?.size === 10, 'a shorter file replaces a longer one');
    await put(store, 'contract/empty', new Uint8Array(0), 'absent');
    check((await store.get('contract/empty'))?.size === 0, 'an empty file is a file');
    await put(store, 'contract/modelling', pattern(20, 3), '');

    const usage = (await store.usage()).filter((file) => file.path.startsWith('contract/'));
    check(usage.length === 3, 'usage lists every file');
    check(usage.reduce((sum, file) => sum + file.bytes, 0) === 30, 'usage counts their bytes');

    await store.delete('contract/model');
    check((await store.get(path)) === null, 'deleting a folder deletes what is in it');
    check((await store.get('contract/modelling')) !== null, 'deleting a folder spares names that begin alike');
    await store.delete('contract/modelling');
    check((await store.get('contract/modelling')) === null, 'deleting a file deletes it');
    await store.delete('contract/nothing');
  } finally {
    await store.delete('contract');
  }
  check(!(await store.usage()).some((file) => file.path.startsWith('contract/')), 'deleting leaves nothing');
}
