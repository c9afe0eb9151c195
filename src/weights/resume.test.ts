/** What a closed tab, a lost connection or a damaged disk leaves of a half loaded model, and what the next load makes of it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeFolder } from '../../tests/fixtures/weights/fake-opfs.ts';
import { fakeOpfs, rootOf } from '../../tests/fixtures/weights/fake-opfs.ts';
import { fakeCache } from '../../tests/fixtures/weights/fake-cache.ts';
import type { FaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { startFaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import type { FileSet } from '../../tests/fixtures/weights/small-model.ts';
import { smallModel, withManifest } from '../../tests/fixtures/weights/small-model.ts';
import { httpFiles } from './http-files.ts';
import { bundledFiles } from './listed-files.ts';
import { openModelFolder, type ModelFolder } from './model-folder.ts';
import type { ModelFiles } from './source.ts';
import { cacheStore } from '../files/blobs/cache-store.ts';
import { createLock } from '../files/blobs/locks.ts';
import { memoryStore } from '../files/blobs/memory-store.ts';
import { opfsStore } from '../files/blobs/opfs-store.ts';
import type { BlobStore } from '../files/blobs/store.ts';
import { storedFiles } from './stored-files.ts';
import { streamTensors } from './stream.ts';

const ID = 'small';
const CHUNK = 60_000;
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const retry = { attempts: 2, baseMs: 5, stallMs: 500 };

let set: FileSet;
let server: FaultServer;
let disk: FakeFolder;
let store: BlobStore;

beforeEach(async () => {
  left = [];
  set = withManifest(smallModel());
  server = await startFaultServer(set);
  disk = fakeOpfs({ worker: true });
  openTab();
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await server.close();
});

/** A new tab on the same disk. */
function openTab(): void {
  store = opfsStore(rootOf(disk), createLock(undefined));
}

const remote = () => httpFiles(server.url, { id: ID, retry });
const listed = () => bundledFiles(remote(), store);
const unlisted = async () => storedFiles(remote(), store);

/** Where the reader was in each file, and how many requests had been made, when a tab was left. */
let left: { requests: number; reached: Map<string, number> }[] = [];

/** Reads weights up to a share of all and compares them; `die` is what then becomes of the tab. */
async function load(files: ModelFiles, upTo = 1, die: () => void = () => undefined): Promise<void> {
  const folder = await openModelFolder(files);
  let bytes = 0;
  const reached = new Map<string, number>();
  // One shard after the other, so that it is known which is whole.
  for (const shard of SHARDS) {
    const pieces = streamTensors(folder, tensorsOf(folder, shard), { chunkBytes: CHUNK });
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      const { entry, offset, bytes: piece } = next.value;
      const at = entry.start + offset;
      reached.set(entry.file, at + piece.length);
      expect(Buffer.compare(piece, set[entry.file]!.subarray(at, at + piece.length))).toBe(0);
      bytes += piece.length;
      if (bytes < upTo * folder.tensorBytes) continue;
      die();
      left.push({ requests: server.seen.length, reached });
      return;
    }
  }
  expect(bytes).toBe(folder.tensorBytes);
}

const tensorsOf = (folder: ModelFolder, shard: string) =>
  [...folder.tensors.values()].filter(({ file }) => file === shard).map(({ name }) => name);

const killTab = () => {
  disk = disk.afterDeath();
  openTab();
};

function askedFor(path: string, requests = server.seen): [from: number, to: number][] {
  return requests
    .filter((request) => request.path === path && request.method === 'GET')
    .map(({ range }) => /(\d+)-(\d+)/.exec(range!)!.slice(1).map(Number) as [number, number]);
}

/** Bytes of a file that were asked for so far. */
function fetched(path: string): number {
  return askedFor(path).reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

/** Bytes of a file that were asked for though a tab that was left had read them. */
function fetchedAgain(path: string): number {
  return left
    .map(({ requests, reached }, i) => {
      const after = askedFor(path, server.seen.slice(requests, left[i + 1]?.requests));
      return after.reduce((sum, [from]) => sum + Math.max(0, (reached.get(path) ?? 0) - from), 0);
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}

const partialBytes = async () => (await store.usage()).find(({ path }) => path === `${ID}/${SHARDS[1]}`)?.bytes ?? 0;

describe.each([
  ['with a list of hashes', listed],
  ['with ETags alone', unlisted],
])('a model %s', (_, open) => {
  it.each([0.1, 0.3, 0.6, 0.9])('whose tab died at %d fetches at most one chunk of a file again', async (share) => {
    await load(await open(), share, killTab);
    await load(await open());
    for (const path of SHARDS) {
      expect(fetched(path)).toBeGreaterThanOrEqual(set[path]!.length);
      expect(fetchedAgain(path)).toBeLessThanOrEqual(CHUNK);
    }
    const soFar = SHARDS.map(fetched);
    await load(await open());
    expect(SHARDS.map(fetched)).toEqual(soFar);
    expect((await store.usage()).filter(({ path }) => SHARDS.some((shard) => path.endsWith(shard))).length).toBe(2);
  });

  it('goes on however often its tab dies', async () => {
    for (const share of [0.2, 0.25, 0.5, 0.7, 0.95]) await load(await open(), share, killTab);
    await load(await open());
    for (const path of SHARDS) expect(fetchedAgain(path)).toBeLessThanOrEqual(4 * CHUNK);
  });

  it('goes on after a cancelled load and a lost connection, from the same files and from new ones', async () => {
    const files = await open();
    let cut = false;
    server.fault = ({ request, response, body }) => {
      const [from, to] = /(\d+)-(\d+)/
        .exec(request.headers.range ?? '0-0')!
        .slice(1)
        .map(Number) as [number, number];
      // Headers are not meant.
      if (!request.url!.endsWith(SHARDS[1]) || to - from < 4 * CHUNK) return false;
      if (cut) response.destroy();
      else {
        response.writeHead(206, { 'Content-Length': to - from + 1 });
        response.write(body.subarray(from, from + 4 * CHUNK), () => setTimeout(() => response.destroy(), 20));
      }
      return (cut = true);
    };
    await expect(load(files)).rejects.toMatchObject({ code: 'network' });
    expect(await partialBytes()).toBeGreaterThan(CHUNK);
    server.fault = null;
    const before = fetched(SHARDS[0]);
    await load(await open(), 0.9);
    await load(files);
    expect(fetched(SHARDS[0])).toBe(before);
  });
});

describe('what is left is not gone on with', () => {
  it('when the file changed on the server (ETag)', async () => {
    await load(await unlisted(), 0.9, killTab);
    expect(await partialBytes()).toBeGreaterThan(0);
    const changed = set[SHARDS[1]]!.slice();
    changed[changed.length - 1]! ^= 255;
    set[SHARDS[1]] = changed;
    server.files.set(SHARDS[1], changed);
    server.etag = (path) => (path === SHARDS[1] ? '"new"' : null);
    await load(await unlisted());
    expect(fetched(SHARDS[1])).toBeGreaterThan(changed.length + CHUNK);
    await load(await unlisted());
  });

  it('when the file changed on the server (hash)', async () => {
    await load(await listed(), 0.9, killTab);
    const files = smallModel();
    const changed = files[SHARDS[1]]!.slice();
    changed[changed.length - 1]! ^= 255;
    set = withManifest({ ...files, [SHARDS[1]]: changed });
    for (const [path, bytes] of Object.entries(set)) server.files.set(path, bytes);
    await load(await listed());
  });

  it('when nothing tells one version from another', async () => {
    server.etag = () => 'W/"weak"';
    await load(await unlisted(), 0.9, killTab);
    expect(await partialBytes()).toBe(0);
    await load(await unlisted());
    server.etag = () => null;
  });

  it('when its bytes were damaged: refused once, then fetched anew', async () => {
    await load(await listed(), 0.9, killTab);
    const file = await disk.file(`${ID}/${SHARDS[1]}`);
    file.bytes[file.bytes.length - 5]! ^= 1;
    const damaged = async () => {
      const folder = await openModelFolder(await listed());
      for await (const _ of streamTensors(folder, folder.tensors.keys(), { chunkBytes: CHUNK })) continue;
    };
    await expect(damaged()).rejects.toMatchObject({ code: 'corrupt-file' });
    expect(await partialBytes()).toBe(0);
    await load(await listed());
  });

  it('when its header was damaged, though that is noticed before the hash', async () => {
    await load(await listed(), 0.9, killTab);
    (await disk.file(`${ID}/${SHARDS[1]}`)).bytes.fill(255, 0, 8);
    await expect(load(await listed())).rejects.toMatchObject({ code: 'bad-model' });
    await load(await listed());
  });

  it.each(['short', 'long', 'without its mark', 'with a bad mark'])('as it was when it is %s', async (damage) => {
    await load(await listed(), 0.9, killTab);
    const file = await disk.file(`${ID}/${SHARDS[1]}`);
    if (damage === 'short') file.bytes = file.bytes.slice(0, 1000);
    if (damage === 'long') file.bytes = new Uint8Array(set[SHARDS[1]]!.length + 1);
    if (damage === 'without its mark') await (await disk.getDirectoryHandle(ID)).removeEntry(`${SHARDS[1]}~partial`);
    if (damage === 'with a bad mark') (await disk.file(`${ID}/${SHARDS[1]}~partial`)).bytes = new Uint8Array([123]);
    await load(await listed());
    await load(await listed());
  });

  it('when the user deleted it', async () => {
    await load(await listed(), 0.9, killTab);
    await store.delete(ID);
    expect(await store.usage()).toEqual([]);
    await load(await listed());
  });
});

describe('storage that fails on the way', () => {
  it('by being cleared costs the copy and not the load', async () => {
    await load(await listed(), 0.5, () => disk.children.clear());
    const files = await listed();
    const folder = await openModelFolder(files);
    let cleared = false;
    let bytes = 0;
    for await (const piece of streamTensors(folder, folder.tensors.keys(), { chunkBytes: CHUNK })) {
      bytes += piece.bytes.length;
      if (!cleared && bytes > folder.tensorBytes / 2) disk.children.clear();
      cleared ||= bytes > folder.tensorBytes / 2;
    }
    expect(bytes).toBe(folder.tensorBytes);
    openTab();
    await load(await listed());
  });

  it('by running full while a half loaded file goes on', async () => {
    await load(await listed(), 0.7, killTab);
    disk.disk.room = 10_000;
    const warnings: string[] = [];
    await load(await bundledFiles(remote(), store, { onWarning: ({ code }) => warnings.push(code) }));
    expect(warnings).toEqual(['storage-full']);
    disk.disk.room = Infinity;
    await load(await listed());
  });

  it('by a quota that leaves room for what is missing only', async () => {
    await load(await listed(), 0.9, killTab);
    const missing = set[SHARDS[1]]!.length - (await partialBytes());
    const estimate = async () => ({ quota: missing + 5 * 2 ** 20, usage: 0 });
    vi.stubGlobal('navigator', { storage: { estimate }, onLine: true });
    await load(await listed());
    expect((await store.get(`${ID}/${SHARDS[1]}`))?.size).toBe(set[SHARDS[1]]!.length);
  });
});

describe('other stores', () => {
  it('memory goes on within the tab, and gives way to what is wanted more', async () => {
    store = memoryStore(2_000_000);
    const leave = async () => {
      const folder = await openModelFolder(await listed());
      for await (const _ of streamTensors(folder, tensorsOf(folder, SHARDS[0]), { chunkBytes: CHUNK })) continue;
      const reached = new Map<string, number>([[SHARDS[0], Infinity]]);
      for await (const { entry, offset, bytes } of streamTensors(folder, tensorsOf(folder, SHARDS[1]), { chunkBytes: CHUNK })) {
        reached.set(entry.file, entry.start + offset + bytes.length);
        if (entry.name === 'one row' && offset > 4 * CHUNK) break;
      }
      left.push({ requests: server.seen.length, reached });
    };
    await leave();
    await load(await listed());
    for (const path of SHARDS) expect(fetchedAgain(path)).toBeLessThanOrEqual(CHUNK);
    await store.delete(ID);
    await leave();
    const large = await store.writer('other/large', 1_200_000, 'v');
    await large.append(new Uint8Array(1_200_000));
    await large.commit();
    await expect(store.writer('other/larger', 700_000, 'v')).rejects.toMatchObject({ code: 'storage-full' });
  });

  it('the Cache API and OPFS outside workers keep whole files only', async () => {
    for (const whole of [
      cacheStore(fakeCache().cache, createLock(undefined)),
      opfsStore(rootOf(fakeOpfs({ worker: false })), createLock(undefined)),
    ]) {
      const writer = await whole.writer('m/a', 10, 'v', { resume: true });
      await writer.append(new Uint8Array(5));
      await writer.suspend();
      const next = await whole.writer('m/a', 10, 'v', { resume: true });
      expect(next.start).toBe(0);
      await next.append(new Uint8Array(10));
      await next.commit();
      expect((await whole.get('m/a'))?.size).toBe(10);
    }
  });
});
