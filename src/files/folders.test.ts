import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFolderContract } from './folder-contract.ts';
import { MemoryFolder } from './memory-folder.ts';
import { nodeFolder } from './node-folder.ts';
import { subfolder } from './subfolder.ts';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'nvlm-folder-'));
});
afterAll(() => rm(place, { recursive: true }));

describe('folders', () => {
  it('keep their contract in memory, on disk and inside each other', async () => {
    await checkFolderContract(new MemoryFolder());
    await checkFolderContract(nodeFolder(join(place, 'run')));
    await checkFolderContract(subfolder(new MemoryFolder(), 'runs/one'));
    await checkFolderContract(subfolder(nodeFolder(place), 'runs/two'));
  });

  it('in memory say when they are full, and keep what they have', async () => {
    const folder = new MemoryFolder(10);
    await folder.write('a', new Uint8Array(8));
    await expect(folder.write('b', new Uint8Array(3))).rejects.toMatchObject({ code: 'storage-full' });
    await folder.write('a', new Uint8Array(10));
    expect(await folder.list()).toEqual([{ path: 'a', bytes: 10 }]);
  });
});
