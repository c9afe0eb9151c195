import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeCache } from '../../../tests/fixtures/weights/fake-cache.ts';
import { asDirectory, fakeOpfs, rootOf } from '../../../tests/fixtures/weights/fake-opfs.ts';
import { cacheStore } from './cache-store.ts';
import { createLock } from './locks.ts';
import { memoryStore } from './memory-store.ts';
import { openStore } from './open-store.ts';
import { opfsStore } from './opfs-store.ts';
import { askPersistence, checkQuota, freeQuota } from '../quota.ts';
import { checkStoreContract } from './store-contract.ts';
import type { BlobStore } from './store.ts';

const lock = () => createLock(undefined);
const bytes = (n: number) => new Uint8Array(n).fill(7);

async function put(store: BlobStore, path: string, size: number, version = ''): Promise<void> {
  const writer = await store.writer(path, size, version);
  await writer.append(bytes(size));
  await writer.commit();
}

afterEach(() => vi.unstubAllGlobals());

describe('every store keeps the contract', () => {
  it('memory', () => checkStoreContract(memoryStore()));
  it('OPFS in a worker', () => checkStoreContract(opfsStore(rootOf(fakeOpfs({ worker: true })), lock())));
  it('OPFS in a page', () => checkStoreContract(opfsStore(rootOf(fakeOpfs({ worker: false })), lock())));
  it('Cache API', () => checkStoreContract(cacheStore(fakeCache().cache, lock())));
});

describe('OPFS', () => {
  it('does not count a file that a dying tab left without its mark', async () => {
    const disk = fakeOpfs({ worker: true });
    const store = opfsStore(rootOf(disk), lock());
    const writer = await store.writer('m/a', 10, '');
    await writer.append(bytes(10));
    // The tab dies here: same disk, a new realm, the handle released by the browser.
    (await disk.file('m/a')).locked = false;
    const later = opfsStore(rootOf(disk), lock());
    expect(await later.get('m/a')).toBeNull();
    expect(await later.usage()).toEqual([]);
    await put(later, 'm/a', 12);
    expect((await later.get('m/a'))?.size).toBe(12);
  });

  it('marks a file only after its data is closed', async () => {
    const disk = fakeOpfs({ worker: true });
    const openWhenMarked: boolean[] = [];
    const folder = await disk.getDirectoryHandle('m', { create: true });
    const getFileHandle = folder.getFileHandle.bind(folder);
    folder.getFileHandle = async (name, options) => {
      if (name === 'a~committed' && options?.create) openWhenMarked.push((await disk.file('m/a')).locked);
      return getFileHandle(name, options);
    };
    await put(opfsStore(rootOf(disk), lock()), 'm/a', 10);
    expect(openWhenMarked).toEqual([false]);
  });

  it.each(['short', 'long', 'bad mark', 'no file'])('does not count a %s file', async (damage) => {
    const disk = fakeOpfs({ worker: true });
    const store = opfsStore(rootOf(disk), lock());
    await put(store, 'm/a', 10);
    const file = await disk.file('m/a');
    if (damage === 'short') file.bytes = file.bytes.slice(0, 9);
    if (damage === 'long') file.bytes = bytes(11);
    if (damage === 'bad mark') (await disk.file('m/a~committed')).bytes = new TextEncoder().encode('{"si');
    if (damage === 'no file') await (await disk.getDirectoryHandle('m')).removeEntry('a');
    expect(await store.get('m/a')).toBeNull();
  });

  it.each([true, false])('that runs full says so and leaves nothing (worker: %s)', async (worker) => {
    const disk = fakeOpfs({ worker, room: 50 });
    const store = opfsStore(rootOf(disk), lock());
    await expect(put(store, 'm/a', 100)).rejects.toMatchObject({ code: 'storage-full' });
    expect(await store.get('m/a')).toBeNull();
  });

  it('has one writer a file over all tabs, by Web Locks', async () => {
    const disk = fakeOpfs({ worker: false });
    const held = new Set<string>();
    const locks = {
      async request(name: string, _: LockOptions, callback: (lock: Lock | null) => Promise<void>) {
        const free = !held.has(name);
        if (free) held.add(name);
        await callback(free ? ({ name, mode: 'exclusive' } as Lock) : null);
        if (free) held.delete(name);
      },
    } as unknown as LockManager;
    const [one, two] = [0, 1].map(() => opfsStore(rootOf(disk), createLock(locks)));
    const writer = await one!.writer('m/a', 1, '');
    await expect(two!.writer('m/a', 1, '')).rejects.toMatchObject({ code: 'busy' });
    await expect(two!.delete('m')).rejects.toMatchObject({ code: 'busy' });
    await writer.append(bytes(1));
    await writer.commit();
    await vi.waitFor(async () => put(two!, 'm/a', 3));
    expect((await one!.get('m/a'))?.size).toBe(3);
  });
});

describe('the Cache API', () => {
  it('notices a piece that was evicted or cut', async () => {
    const fake = fakeCache();
    const store = cacheStore(fake.cache, lock());
    await put(store, 'm/a', 9_000_000);
    const blob = await store.get('m/a');
    const [key] = [...fake.entries.keys()].filter((name) => name.endsWith('piece=1'));
    fake.entries.set(key!, bytes(5));
    await expect(blob!.read(4_194_304, 4_194_310)).rejects.toThrow(RangeError);
    expect((await blob!.read(0, 10)).length).toBe(10);
  });

  it('that runs full says so and leaves nothing', async () => {
    const fake = fakeCache();
    const store = cacheStore(fake.cache, lock());
    fake.room = 5_000_000;
    await expect(put(store, 'm/a', 9_000_000)).rejects.toMatchObject({ code: 'storage-full' });
    expect(await store.get('m/a')).toBeNull();
  });

  it('refuses more bytes than were announced', async () => {
    const writer = await cacheStore(fakeCache().cache, lock()).writer('m/a', 3, '');
    await expect(writer.append(bytes(4))).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('memory', () => {
  it('is bounded, and gives back what is deleted, replaced or aborted', async () => {
    const store = memoryStore(100);
    await put(store, 'a', 60);
    await expect(store.writer('b', 50, '')).rejects.toMatchObject({ code: 'storage-full' });
    await put(store, 'a', 90);
    await store.delete('a');
    await (await store.writer('b', 100, '')).abort();
    await put(store, 'b', 100);
  });
});

describe('quota', () => {
  const manager = (quota: number, usage: number) => ({ estimate: async () => ({ quota, usage }) }) as unknown as StorageManager;

  it('is asked before writing', async () => {
    const free = (await freeQuota(manager(100e6, 40e6)))!;
    expect(free).toBeLessThan(60e6);
    expect(free).toBeGreaterThan(50e6);
    await checkQuota(free, manager(100e6, 40e6));
    await expect(checkQuota(free + 1, manager(100e6, 40e6))).rejects.toMatchObject({ code: 'storage-full' });
    vi.stubGlobal('navigator', { storage: manager(10e6, 0) });
    const store = opfsStore(rootOf(fakeOpfs({ worker: true })), lock());
    await expect(store.writer('a', 20e6, '')).rejects.toMatchObject({ code: 'storage-full' });
  });

  it('may be unknown, and persistence refused or impossible', async () => {
    expect(await freeQuota({} as StorageManager)).toBeNull();
    await checkQuota(1e15, {} as StorageManager);
    expect(await askPersistence({} as StorageManager)).toBe(false);
    const storage = { persisted: async () => false, persist: async () => true } as unknown as StorageManager;
    expect(await askPersistence(storage)).toBe(true);
  });
});

describe('openStore', () => {
  const opfs = (room = Infinity) => {
    const disk = fakeOpfs({ worker: true, room });
    return { getDirectory: async () => asDirectory(disk) };
  };
  const caches = { open: async () => fakeCache().cache };

  it('takes OPFS, else the Cache API, else memory', async () => {
    vi.stubGlobal('navigator', { storage: opfs() });
    vi.stubGlobal('caches', caches);
    expect((await openStore()).kind).toBe('opfs');
    vi.stubGlobal('navigator', {
      storage: { getDirectory: () => Promise.reject(new DOMException('no', 'SecurityError')) },
    });
    expect((await openStore()).kind).toBe('cache');
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('caches', undefined);
    expect((await openStore()).kind).toBe('memory');
  });

  it('passes over storage that cannot be written, unless models lie there', async () => {
    vi.stubGlobal('navigator', { storage: opfs(0) });
    vi.stubGlobal('caches', undefined);
    expect((await openStore()).kind).toBe('memory');

    const disk = fakeOpfs({ worker: true });
    vi.stubGlobal('navigator', { storage: { getDirectory: async () => asDirectory(disk) } });
    await put(await openStore(), 'bundled/nano-d/config.json', 10);
    disk.disk.room = 0;
    expect((await openStore()).kind).toBe('opfs');
  });

  it('leaves no trace of its trial', async () => {
    vi.stubGlobal('navigator', { storage: opfs() });
    expect(await (await openStore()).usage()).toEqual([]);
  });
});
