import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeFolder } from '../../tests/fixtures/weights/fake-opfs.ts';
import { fakeOpfs, rootOf } from '../../tests/fixtures/weights/fake-opfs.ts';
import type { FaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { startFaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import type { FileSet } from '../../tests/fixtures/weights/small-model.ts';
import { smallModel, utf8, withManifest } from '../../tests/fixtures/weights/small-model.ts';
import type { NvlmError } from '../errors.ts';
import { httpFiles } from './http-files.ts';
import { bundledFiles } from './listed-files.ts';
import { parseManifest } from './manifest.ts';
import { openModelFolder } from './model-folder.ts';
import type { ModelFiles } from './source.ts';
import { parseSafetensors, writeSafetensors } from './safetensors.ts';
import { checkedBlob } from '../files/blobs/block-sums.ts';
import { createLock } from '../files/blobs/locks.ts';
import { memoryStore } from '../files/blobs/memory-store.ts';
import { opfsStore } from '../files/blobs/opfs-store.ts';
import type { BlobStore } from '../files/blobs/store.ts';
import { storedFiles } from './stored-files.ts';
import { streamTensors } from './stream.ts';

const ID = 'bundled/small';
const SECOND = 'model-00002-of-00002.safetensors';
const retry = { attempts: 2, baseMs: 5, stallMs: 500 };

let set: FileSet;
let server: FaultServer;
let disk: FakeFolder;
let store: BlobStore;
let warnings: NvlmError[];

beforeEach(async () => {
  set = withManifest(smallModel());
  server = await startFaultServer(set);
  disk = fakeOpfs({ worker: true });
  store = opfsStore(rootOf(disk), createLock(undefined));
  warnings = [];
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await server.close();
});

const remote = () => httpFiles(server.url, { id: ID, retry });
const onWarning = (error: NvlmError) => void warnings.push(error);
const bundled = () => bundledFiles(remote(), store, { onWarning });

/** Loads everything and compares it with what the model is; returns whether all weights came out of the store. */
async function load(files: ModelFiles, signal?: AbortSignal): Promise<boolean> {
  const folder = await openModelFolder(files, signal);
  let bytes = 0;
  let stored = true;
  const onProgress = ({ fromStorage }: { fromStorage: boolean }) => void (stored &&= fromStorage);
  for await (const piece of streamTensors(folder, folder.tensors.keys(), { chunkBytes: 50_000, onProgress, signal })) {
    const { entry, offset } = piece;
    const wanted = set[entry.file]!.subarray(entry.start + offset, entry.start + offset + piece.bytes.length);
    expect(Buffer.compare(piece.bytes, wanted)).toBe(0);
    bytes += piece.bytes.length;
  }
  expect(bytes).toBe(folder.tensorBytes);
  return stored;
}

const weightRequests = () => server.seen.filter(({ path, method }) => method === 'GET' && path.endsWith('.safetensors'));

describe('a bundled model', () => {
  it('is fetched once, each byte once, and then comes from the store', async () => {
    expect(await load(await bundled())).toBe(false);
    let fetched = 0;
    for (const { range } of weightRequests()) {
      const [start, end] = /(\d+)-(\d+)/.exec(range!)!.slice(1).map(Number) as [number, number];
      fetched += end - start + 1;
    }
    const shards = Object.keys(set).filter((path) => path.endsWith('.safetensors'));
    expect(fetched).toBe(shards.reduce((sum, path) => sum + set[path]!.length, 0));
    server.seen.length = 0;
    expect(await load(await bundled())).toBe(true);
    expect(server.seen.map(({ path }) => path)).toEqual(['manifest.json']);
    const usage = await store.usage();
    expect(usage.map(({ path }) => path).sort()).toEqual(
      Object.keys(set)
        .map((path) => `${ID}/${path}`)
        .sort(),
    );
    expect(warnings).toEqual([]);
  });

  it('loads offline the second time', async () => {
    await load(await bundled());
    await server.close();
    expect(await load(await bundled())).toBe(true);
    vi.stubGlobal('navigator', { onLine: false });
    expect(await load(await bundled())).toBe(true);
  });

  it('cannot be loaded offline the first time', async () => {
    await server.close();
    await expect(bundled()).rejects.toMatchObject({ code: 'network' });
  });

  it.each(['corrupt weights', 'corrupt header', 'corrupt text', 'cut file'])('with %s is refused and not kept', async (damage) => {
    const path = damage === 'corrupt text' ? 'config.json' : SECOND;
    const bytes = set[path]!.slice();
    if (damage === 'corrupt weights') bytes[bytes.length - 5]! ^= 1;
    if (damage === 'corrupt header') bytes[20]! ^= 1;
    if (damage === 'corrupt text') bytes[bytes.length - 3] = 65;
    server.files.set(path, damage === 'cut file' ? bytes.slice(0, -1) : bytes);
    const code = damage === 'corrupt header' ? /corrupt-file|bad-model/ : /corrupt-file/;
    await expect(load(await bundled())).rejects.toMatchObject({ code: expect.stringMatching(code) as string });
    expect(await store.get(`${ID}/${path}`)).toBeNull();
    server.files.set(path, set[path]!);
    await load(await bundled());
    expect(await store.get(`${ID}/${path}`)).not.toBeNull();
  });

  const DAMAGES = ['truncated', 'flipped', 'header of another', 'unsummed', 'unmarked', 'deleted'];
  it.each(DAMAGES)('with a %s stored file fetches that file again', async (damage) => {
    await load(await bundled());
    const stored = await disk.file(`${ID}/${SECOND}`);
    // Of the right length, and noticed by nothing but its sums.
    if (damage === 'flipped') stored.bytes[stored.bytes.length - 5]! ^= 1;
    if (damage === 'header of another') stored.bytes.set(set[SECOND]!.subarray(0, 100), 8);
    if (damage === 'unsummed') {
      const mark = await disk.file(`${ID}/${SECOND}~committed`);
      mark.bytes = new Uint8Array(utf8(new TextDecoder().decode(mark.bytes).replace(/"sums":"[0-9a-f]+"/, '"sums":""')));
    }
    if (damage === 'truncated') (await disk.file(`${ID}/${SECOND}`)).bytes = set[SECOND]!.slice(0, 1000);
    if (damage === 'unmarked')
      await (await (await disk.getDirectoryHandle('bundled')).getDirectoryHandle('small')).removeEntry(`${SECOND}~committed`);
    if (damage === 'deleted') await store.delete(`${ID}/${SECOND}`);
    server.seen.length = 0;
    await load(await bundled());
    expect(new Set(weightRequests().map(({ path }) => path))).toEqual(new Set([SECOND]));
    expect(await load(await bundled())).toBe(true);
  });

  it.each([SECOND, 'config.json', 'tokenizer.json', 'model.safetensors.index.json'])(
    'with a damaged %s says so while the network is away, and loads when it is back',
    async (path) => {
      await load(await bundled());
      (await disk.file(`${ID}/${path}`)).bytes[9]! ^= 4;
      server.fault = ({ response }) => (response.destroy(), true);
      await expect(load(await bundled())).rejects.toMatchObject({
        code: 'corrupt-file',
        message: expect.stringContaining(`stored copy of ${path}`) as string,
      });
      server.fault = null;
      await load(await bundled());
      expect(await load(await bundled())).toBe(true);
    },
  );

  it('never gives out a flipped bit, wherever it is (100 places)', async () => {
    await load(await bundled());
    const file = await disk.file(`${ID}/${SECOND}`);
    const size = file.bytes.length;
    for (let i = 0; i < 100; i++) {
      const at = (i * 7919) % size;
      file.bytes[at]! ^= 1 << (i % 8);
      const blob = checkedBlob(store, (await store.get(`${ID}/${SECOND}`))!);
      const start = Math.max(0, at - (i % 3) * 1000);
      await expect(blob.read(start, Math.min(size, at + 1 + (i % 5) * 100))).rejects.toThrow(RangeError);
      file.bytes[at]! ^= 1 << (i % 8);
    }
    const blob = checkedBlob(store, (await store.get(`${ID}/${SECOND}`))!);
    expect(Buffer.compare(await blob.read(5, size), set[SECOND]!.subarray(5))).toBe(0);
  });

  it('is read through one handle, which is let go of at the end, and by who leaves early', async () => {
    await load(await bundled());
    const file = await disk.file(`${ID}/${SECOND}`);
    const folder = await openModelFolder(await bundled());
    const opened = vi.spyOn(file, 'getFile');
    const names = [...folder.tensors.values()].filter((entry) => entry.file === SECOND).map(({ name }) => name);
    for await (const _ of streamTensors(folder, names, { chunkBytes: 1000 })) expect(file.locked).toBe(true);
    expect(file.locked).toBe(false);
    for await (const _ of streamTensors(folder, names, { chunkBytes: 1000 })) break;
    await vi.waitFor(() => expect(file.locked).toBe(false));
    expect(opened).not.toHaveBeenCalled();
  });

  it('is read while another tab reads it, where a file has one handle', async () => {
    await load(await bundled());
    (await disk.file(`${ID}/${SECOND}`)).locked = true;
    expect(await load(await bundled())).toBe(true);
  });

  it('keeps its list against damage while the network is away', async () => {
    await load(await bundled());
    const list = await disk.file(`${ID}/manifest.json`);
    const at = new TextDecoder().decode(list.bytes).lastIndexOf('"sha256"') + 12;
    list.bytes[at] = list.bytes[at] === 97 ? 98 : 97;
    await server.close();
    await expect(bundled()).rejects.toMatchObject({ code: 'network' });
    expect(await store.get(`${ID}/${SECOND}`)).not.toBeNull();
  });

  it('goes on from the server when the store vanishes between two reads', async () => {
    await load(await bundled());
    const files = await bundled();
    const folder = await openModelFolder(files);
    const get = store.get.bind(store);
    store.get = async (path) => {
      const blob = await get(path);
      return blob && { ...blob, read: () => Promise.reject(new DOMException('gone', 'NotFoundError')) };
    };
    disk.children.clear();
    let bytes = 0;
    for await (const piece of streamTensors({ ...folder, files: await bundled() }, folder.tensors.keys())) bytes += piece.bytes.length;
    expect(bytes).toBe(folder.tensorBytes);
  });

  it('that was replaced on the server is fetched anew, what did not change is not', async () => {
    await load(await bundled());
    const old = set[SECOND]!;
    const files = smallModel();
    const shard = old.slice();
    shard[shard.length - 1]! ^= 255;
    files[SECOND] = shard;
    set = withManifest(files);
    for (const [path, bytes] of Object.entries(set)) server.files.set(path, bytes);
    server.seen.length = 0;
    await load(await bundled());
    expect(new Set(weightRequests().map(({ path }) => path))).toEqual(new Set([SECOND]));
    expect(await load(await bundled())).toBe(true);
  });

  it('loads without being stored when there is no room, and says so once', async () => {
    disk = fakeOpfs({ worker: true, room: 700_000 });
    store = opfsStore(rootOf(disk), createLock(undefined));
    await load(await bundled());
    expect(warnings.map(({ code }) => code)).toEqual(['storage-full']);
    store = memoryStore(0);
    warnings = [];
    await load(await storedFiles(remote(), store, { onWarning }));
    expect(warnings.map(({ code }) => code)).toEqual(['storage-full']);
  });

  it('loads while another tab is storing it', async () => {
    const writer = await store.writer(`${ID}/${SECOND}`, 1, '');
    await load(await bundled());
    expect(warnings.map(({ code }) => code)).toEqual(['busy']);
    await writer.abort();
  });

  it('can be cancelled, leaves no half file, and loads the next time', async () => {
    const controller = new AbortController();
    const files = await bundled();
    server.fault = ({ earlier, request }) => {
      if (request.url!.endsWith(SECOND) && earlier > 1) controller.abort();
      return false;
    };
    await expect(load(files, controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
    server.fault = null;
    expect(await store.get(`${ID}/${SECOND}`)).toBeNull();
    await load(files);
    expect(await load(await bundled())).toBe(true);
  });

  it('lets go of what it began when it is closed or left early', async () => {
    const folder = await openModelFolder(await bundled());
    await folder.files.close();
    for await (const _ of streamTensors(await openModelFolder(await bundled()), ['embed'], { chunkBytes: 1000 })) break;
    expect(await load(await bundled())).toBe(false);
    expect(warnings).toEqual([]);
    expect(await load(await bundled())).toBe(true);
  });

  it('is checked on a server without Range too', async () => {
    server.ranges = false;
    await load(await bundled());
    expect(await load(await bundled())).toBe(true);
    await store.delete(ID);
    const bad = set[SECOND]!.slice();
    bad[bad.length - 5]! ^= 1;
    server.files.set(SECOND, bad);
    await expect(load(await bundled())).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('loads from a server that never says how long a file is', async () => {
    server.fault = ({ request, response, body }) => {
      response.writeHead(200, { 'Transfer-Encoding': 'chunked' });
      response.end(request.method === 'HEAD' ? undefined : body);
      return true;
    };
    await load(await bundled());
    expect(await load(await bundled())).toBe(true);
    await store.delete(ID);
    server.files.set(SECOND, set[SECOND]!.slice(0, -1));
    await expect(load(await bundled())).rejects.toMatchObject({ code: 'network' });
  });

  it('has its hash checked though only some tensors are read, out of order', async () => {
    const bad = set[SECOND]!.slice();
    bad[bad.length - 1]! ^= 1;
    server.files.set(SECOND, bad);
    const folder = await openModelFolder(await bundled());
    const read = async () => {
      for await (const _ of streamTensors(folder, ['layers.1.norm'])) continue;
    };
    await expect(read()).rejects.toMatchObject({ code: 'corrupt-file' });
  });
});

describe('a model without manifest', () => {
  beforeEach(() => {
    for (const path of ['manifest.json', 'generation_config.json']) server.files.delete(path);
  });

  it('is stored and loads offline, absent files included', async () => {
    await load(storedFiles(remote(), store, { onWarning }));
    await server.close();
    expect(await load(storedFiles(remote(), store, { onWarning }))).toBe(true);
  });

  const unlisted = () => storedFiles(remote(), store, { onWarning });
  /** Another version of the second shard: other bytes, another length. */
  function replaceSecond(): void {
    const files = smallModel();
    const bytes = parseSafetensors(files[SECOND]!, SECOND);
    const tensors = [...bytes.values()].map((tensor) => ({ ...tensor, data: tensor.bytes.map((byte) => byte ^ 255) }));
    set = { ...files, [SECOND]: writeSafetensors(tensors, { version: '2' }) };
    server.files.set(SECOND, set[SECOND]!);
  }

  it('that changed on the server is fetched anew, what did not change is not', async () => {
    await load(unlisted());
    replaceSecond();
    server.seen.length = 0;
    expect(await load(unlisted())).toBe(false);
    expect(new Set(weightRequests().map(({ path }) => path))).toEqual(new Set([SECOND]));
    set['config.json'] = utf8('{"model_type":"other"}');
    server.files.set('config.json', set['config.json']);
    expect((await openModelFolder(unlisted())).config.model_type).toBe('other');
    expect(await load(unlisted())).toBe(true);
  });

  it('that vanished from the server loads as it is stored', async () => {
    await load(unlisted());
    server.files.clear();
    expect(await load(unlisted())).toBe(true);
  });

  it('never has files of two versions side by side, however the network comes and goes', async () => {
    await load(unlisted());
    await store.delete(`${ID}/${SECOND}`);
    const first = await disk.file(`${ID}/model-00001-of-00002.safetensors`);
    const shard = set['model-00001-of-00002.safetensors']!.slice();
    shard[shard.length - 1]! ^= 255;
    server.files.set('model-00001-of-00002.safetensors', shard);
    server.etag = (path) => (path.includes('00001') ? '"new"' : null);
    // Away while it is asked about what is stored, back for what is missing.
    let isAway = true;
    server.fault = ({ response }) => isAway && (response.destroy(), true);
    const files = unlisted();
    expect((await files.read('model-00001-of-00002.safetensors', 0, 8)).length).toBe(8);
    isAway = false;
    await expect(files.read(SECOND, 0, 8)).rejects.toMatchObject({ code: 'corrupt-file' });
    await files.close();
    expect(first.bytes.length).toBe(shard.length);
    set['model-00001-of-00002.safetensors'] = shard;
    await load(unlisted());
    server.etag = null;
  });

  it('finds a file that was absent before', async () => {
    await load(storedFiles(remote(), store));
    server.files.set('generation_config.json', utf8('{"eos_token_id":9}'));
    expect((await openModelFolder(storedFiles(remote(), store))).generationConfig).toEqual({ eos_token_id: 9 });
  });
});

describe('a manifest', () => {
  const sound = { path: 'a', size: 1, sha256: 'a'.repeat(64) };
  it.each([
    ['text', '"x"'],
    ['an object', '{}'],
    ['a path out of the folder', JSON.stringify([{ ...sound, path: '../a' }])],
    ['a negative size', JSON.stringify([{ ...sound, size: -1 }])],
    ['a short hash', JSON.stringify([{ ...sound, sha256: 'ab' }])],
    ['a file twice', JSON.stringify([sound, sound])],
    ['null', '[null]'],
  ])('that holds %s is refused', (_, text) => {
    expect(() => parseManifest(utf8(text), 'x')).toThrow(expect.objectContaining({ code: 'bad-model' }) as Error);
  });
});
