import { expect, it } from 'vitest';
import { DatasetLibrary } from '../src/datasets/library.ts';
import { MemoryFolder } from '../src/files/memory-folder.ts';
import { createDataService } from './data-service.ts';

const alone = <T>(_: string, work: () => Promise<T>) => work();
const csv = new Blob(['question,answer\nWhat is it?,A note.\n']);
const lasts = async () => true;
const files = (blob: Blob) => ({ files: [{ path: 'data.csv', blob }] });

it('an import into a new dataset that fails leaves no dataset', async () => {
  const library = new DatasetLibrary(new MemoryFolder(), alone);
  const service = createDataService(library, { openFiles: () => Promise.reject(new Error('no model')) }, lasts);
  const { id } = await service.import({ title: 'Good' }, files(csv), {});
  expect((await library.list()).map((entry) => entry.id)).toEqual([id]);
  const broken = { path: 'data.zip', blob: new Blob(['no zip']) };
  await expect(service.import({ title: 'Bad' }, { files: [broken] }, {})).rejects.toThrow();
  expect((await library.list()).map((entry) => entry.id)).toEqual([id]);
});

it('asks again for a model that could not be read the first time', async () => {
  const library = new DatasetLibrary(new MemoryFolder(), alone);
  const tries: string[] = [];
  const openFiles = (model: { kind: string }) => {
    tries.push(model.kind);
    return Promise.reject(new Error('offline'));
  };
  const service = createDataService(library, { openFiles }, lasts);
  const { id } = await service.import({ title: 'Good' }, files(csv), {});
  const page = await library.query(id, { filter: 'all', search: '', task: null, offset: 0, limit: 1 });
  for (let i = 0; i < 2; i++) {
    await expect(service.preview(id, page.records[0]!.id, { kind: 'bundled', id: 'nano-d' }, 6)).rejects.toThrow('offline');
  }
  expect(tries).toHaveLength(2);
});
