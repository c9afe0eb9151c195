import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryFolder } from '../files/memory-folder.ts';
import { encodePng } from '../tiling/encode-png.ts';
import { blobFile, bytesFile } from './import/source-file.ts';
import { DatasetLibrary } from './library.ts';
import { parseRecords } from './llava.ts';
import type { RecordQuery } from './types.ts';

const ALL: RecordQuery = { filter: 'all', search: '', task: null, offset: 0, limit: 1000 };
const text = (value: string) => new TextEncoder().encode(value);
const png = (shade = 0) => encodePng({ width: 8, height: 8, data: new Uint8Array(192).fill(shade) });
const row = (id: string, question: string, answer: string, more: object = {}) => ({
  id,
  ...more,
  conversations: [
    { from: 'human', value: question },
    { from: 'gpt', value: answer },
  ],
});

let folder: MemoryFolder;
let library: DatasetLibrary;
let clock: number;

const newLibrary = () => {
  let queue: Promise<unknown> = Promise.resolve();
  // One queue for everything would wait for itself: the index is asked for inside a dataset's turn.
  return new DatasetLibrary(
    folder,
    (name, work) => {
      if (name === 'index') return work();
      const done = queue.then(work, work);
      queue = done;
      return done;
    },
    () => (clock += 1),
  );
};

beforeEach(() => {
  folder = new MemoryFolder();
  clock = 1e12;
  library = newLibrary();
});

async function pictured(): Promise<string> {
  const { id } = await library.create('Test');
  const rows = [row('a', '<image>\nOne?', '1', { image: 'a.png' }), row('b', 'Two?', '2', { task: 'sums' })];
  const files = [bytesFile('x/data.json', text(JSON.stringify(rows))), bytesFile('x/a.png', await png())];
  await library.import(id, files);
  return id;
}

describe('the dataset library', () => {
  it('writes a folder that the command line reads as it is, and finds it again', async () => {
    const id = await pictured();
    const { records } = parseRecords(new TextDecoder().decode(folder.files.get(`datasets/${id}/data.json`)));
    expect(records.map(({ image, task }) => [image, task])).toEqual([
      ['pictures/a.png', 'all'],
      [null, 'sums'],
    ]);
    expect(folder.files.has(`datasets/${id}/pictures/a.png`)).toBe(true);
    const page = await newLibrary().query(id, ALL);
    expect(page.records).toEqual(records);
    expect(page.summary).toMatchObject({ title: 'Test', records: 2, pictures: 1, drafts: 0, heldOut: 0 });
  });

  it('exports a zip that imports to the same', async () => {
    const id = await pictured();
    await library.update(id, 'b', { heldOut: true });
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of await library.export(id)) parts.push(part as Uint8Array<ArrayBuffer>);
    const { id: other } = await library.create('Copy');
    const report = await library.import(other, [blobFile('copy.zip', new Blob(parts))]);
    expect(report).toMatchObject({ records: 2, pictures: 1, problemCount: 0 });
    expect((await library.query(other, ALL)).records).toEqual((await library.query(id, ALL)).records);
  });

  it('edits, adds, duplicates, removes and puts back', async () => {
    const id = await pictured();
    await library.update(id, 'a', {
      messages: [
        { role: 'user', content: '<image>\nChanged?' },
        { role: 'assistant', content: 'yes' },
      ],
    });
    expect(await library.duplicate(id, 'a')).toBe('a-2');
    const added = await library.add(id, 'a', true);
    expect(await library.record(id, added)).toMatchObject({ image: 'pictures/a.png', messages: [] });
    const before = (await library.query(id, ALL)).records;
    expect(before.map((record) => record.id)).toEqual(['a', added, 'a-2', 'b']);
    const removed = await library.removeRecords(id, ['a', 'a-2']);
    expect((await library.query(id, ALL)).records.map((record) => record.id)).toEqual([added, 'b']);
    await library.putBack(id, removed);
    expect((await library.query(id, ALL)).records).toEqual(before);
  });

  it('filters by what is held out, drafted, searched for and by task, page by page', async () => {
    const id = await pictured();
    await library.update(id, 'b', { heldOut: true });
    await library.add(id, null, false);
    const ids = async (query: Partial<RecordQuery>) => (await library.query(id, { ...ALL, ...query })).records.map((record) => record.id);
    expect(await ids({ filter: 'held-out' })).toEqual(['b']);
    expect(await ids({ filter: 'training' })).toEqual(['a']);
    expect(await ids({ filter: 'drafts' })).toEqual(['text']);
    expect(await ids({ search: 'TWO' })).toEqual(['b']);
    expect(await ids({ task: 'sums' })).toEqual(['b']);
    expect(await ids({ offset: 1, limit: 1 })).toEqual(['b']);
  });

  it('takes back a deletion, and forgets the dataset when the time is over', async () => {
    const id = await pictured();
    await library.remove(id);
    expect(await library.list()).toEqual([]);
    await expect(library.query(id, ALL)).rejects.toMatchObject({ code: 'not-found' });
    await library.restore(id);
    expect(await library.list()).toHaveLength(1);
    await library.remove(id);
    clock += 100_000;
    await library.list();
    expect([...folder.files.keys()]).toEqual(['datasets/index.json']);
  });

  it('leaves nothing of an import that ends in the middle', async () => {
    const id = await pictured();
    const before = [...folder.files.keys()];
    const stop = new AbortController();
    const files = [bytesFile('new.png', await png(5)), bytesFile('other.png', await png(6))];
    const importing = library.import(id, files, {}, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(importing).rejects.toMatchObject({ code: 'cancelled' });
    expect([...folder.files.keys()]).toEqual(before);
    expect((await library.query(id, ALL)).records).toHaveLength(2);
  });

  it('clears away pictures that no record names, at the next visit', async () => {
    const id = await pictured();
    await library.removeRecords(id, ['a']);
    expect(folder.files.has(`datasets/${id}/pictures/a.png`)).toBe(true);
    await newLibrary().query(id, ALL);
    expect(folder.files.has(`datasets/${id}/pictures/a.png`)).toBe(false);
  });

  it('sees what another tab has changed', async () => {
    const id = await pictured();
    await newLibrary().update(id, 'b', { heldOut: true });
    expect(await library.record(id, 'b')).toMatchObject({ heldOut: true });
  });

  it('draws pictures of the nano world, of the kinds asked for', async () => {
    const { id } = await library.create('Desk');
    const report = await library.generate(id, { pictures: 6, seed: 3, kinds: ['text', 'shapes'] });
    const { tasks, summary } = await library.query(id, ALL);
    expect(tasks.every(({ name }) => /^(text|shapes)/.test(name))).toBe(true);
    expect(summary).toMatchObject({ records: report.records, pictures: report.pictures });
    expect(report.records).toBeGreaterThan(8);
  });

  it('draws a lesson with pictures held out to measure it', async () => {
    const { id } = await library.create('Ring');
    await library.generate(id, { pictures: 3, seed: 1, kinds: [], lesson: 'ring' });
    const { records, summary } = await library.query(id, ALL);
    expect(summary.pictures).toBe(6);
    expect(records.some(({ messages }) => messages[1]!.content === 'ring')).toBe(true);
    const sides = [true, false].map((side) => new Set(records.filter(({ heldOut }) => heldOut === side).map(({ image }) => image)));
    expect(sides.map(({ size }) => size)).toEqual([3, 3]);
  });

  it('splits every task alike and keeps the records of a picture together', async () => {
    const { id } = await library.create('Desk');
    await library.generate(id, { pictures: 40, seed: 1, kinds: [] });
    const summary = await library.split(id, 0.25, 1);
    expect(summary.heldOut / summary.records).toBeCloseTo(0.25, 1);
    const { records, tasks } = await library.query(id, ALL);
    const sides = new Map<string, Set<boolean>>();
    for (const { image, heldOut } of records) if (image) sides.set(image, (sides.get(image) ?? new Set<boolean>()).add(heldOut));
    expect([...sides.values()].every(({ size }) => size === 1)).toBe(true);
    for (const task of tasks.filter((one) => one.records >= 12)) expect(task.heldOut / task.records, task.name).toBeGreaterThan(0.1);
    expect((await library.split(id, 0, 1)).heldOut).toBe(0);
  });

  it('shows pictures of the data that a run brought along, and nothing outside of the data', async () => {
    await folder.write('runs/r1/data/images/a.png', await png(9));
    await folder.write('runs/r1/secret.png', await png(9));
    expect(await library.picture('runs/r1/data', 'images/a.png')).toEqual(await png(9));
    for (const path of ['../secret.png', 'images/../../secret.png', 'images/none.png'])
      await expect(library.picture('runs/r1/data', path)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('holds out every label’s share, also of few pictures', async () => {
    const { id } = await library.create('Pets');
    const rows = Array.from({ length: 24 }, (_, i) => row(`r${i}`, 'Which?', ['cat', 'dog', 'owl'][Math.floor(i / 8)]!));
    await library.import(id, [bytesFile('rows.json', text(JSON.stringify(rows)))]);
    for (const seed of [0, 1, 2, 3]) {
      await library.split(id, 0.2, seed);
      const { records } = await library.query(id, ALL);
      const held = records.filter(({ heldOut }) => heldOut).map(({ messages }) => messages[1]!.content);
      expect(['cat', 'dog', 'owl'].map((label) => held.filter((one) => one === label).length)).toEqual([2, 2, 2]);
    }
    // Answers that hardly come back are no labels: together they have their share.
    const others = await library.create('Captions');
    const captions = Array.from({ length: 20 }, (_, i) => row(`c${i}`, 'Which?', `caption ${i}`));
    await library.import(others.id, [bytesFile('rows.json', text(JSON.stringify(captions)))]);
    for (const ratio of [0.2, 0.5, 0.9]) expect((await library.split(others.id, ratio, 1)).heldOut).toBe(20 * ratio);
  });
});
