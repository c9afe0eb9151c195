import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceFile } from '../datasets/import/source-file.ts';
import { DatasetLibrary } from '../datasets/library.ts';
import type { DatasetRecord } from '../datasets/types.ts';
import { MemoryFolder } from '../files/memory-folder.ts';
import { localFiles } from './data-files.ts';
import { readLocalData } from './data-reader.ts';
import { Progress } from './progress.ts';

/** Data as people bring it (tests/fixtures/cases), read as the page and as the command line read it. */
const context = { signal: new AbortController().signal, progress: new Progress(process.stderr) };
const cases = 'tests/fixtures/cases';

async function onCommandLine(path: string, options = {}) {
  const { records, report } = await readLocalData(path, options, context, { decode: true });
  return { records, report };
}

async function inPage(files: SourceFile[]) {
  const library = new DatasetLibrary(new MemoryFolder(), (_, work) => work());
  const { id } = await library.create('Case');
  const report = await library.import(id, files);
  const { records } = await library.query(id, { filter: 'all', search: '', task: null, offset: 0, limit: 1000 });
  return { records, report };
}

const said = ({ messages }: DatasetRecord) => messages.map(({ role, content }) => `${role}: ${content}`);

/** What both read of it, pictures by whether there is one; fails where they differ. */
async function readAs(path: string) {
  const page = await inPage((await localFiles(path, false)).files);
  const line = await onCommandLine(path);
  const plain = (records: DatasetRecord[]) =>
    records.map(({ id, image, heldOut, ...record }) => ({
      id,
      heldOut,
      seen: image !== null,
      said: said({ id, image, heldOut, ...record }),
    }));
  expect(plain(line.records)).toEqual(plain(page.records));
  expect(line.report.problems).toEqual(page.report.problems);
  expect(line.report.notes).toEqual(page.report.notes);
  expect(line.report.pictures).toBe(page.report.pictures);
  return { ...line.report, records: plain(line.records) };
}

describe('cases from the wild', () => {
  const colour = (content: string) => ({ seen: true, said: [`user: ${content}`, 'assistant: red'] });
  it.each([
    ['import/image_url', [colour('What colour?\n<image>'), colour('What colour?\n<image>')]],
    ['import/image_data_uri', [colour('What colour?\n<image>')]],
    ['import/image_in_content', [colour('<image>\nWhat colour?'), colour('<image>\nWhat colour?')]],
    ['import/qwenvl', [colour('<image>\nWhat colour?')]],
    [
      'import/alpaca',
      [
        { seen: false, said: ['user: Translate to French\ncat', 'assistant: chat'] },
        { seen: false, said: ['system: You are a pirate.', 'user: q1', 'assistant: a1', 'user: Continue', 'assistant: y'] },
      ],
    ],
    ['import/sharegpt-system', [{ seen: false, said: ['system: You are a pirate.', 'user: hi', 'assistant: arr'] }]],
    ['import/docvqa', [{ id: '1', seen: true, heldOut: false, said: ['user: What?', 'assistant: red'] }]],
    ['import/pretty', [{ id: '1', ...colour('<image>\nWhat?') }]],
    ['import/nan', [colour('<image>\nWhat?')]],
    ['picture-names/nfd.zip', [colour('<image>\nWhat?')]],
    ['picture-names/backslash.zip', [colour('<image>\nWhat?'), colour('<image>\nWhat?')]],
    ['picture-names/winabs', [colour('<image>\nWhat?'), colour('<image>\nWhat?')]],
    ['parquet/vqa.parquet', [{ seen: true, said: ['user: q', 'assistant: yes'] }]],
    ...['gzip', 'lz4', 'zstd', 'brotli'].map((codec): [string, object[]] => [
      `parquet/llava_${codec}.parquet`,
      ['a', 'b'].map((id) => ({ id, seen: true, said: ['user: <image>\nWhat?', 'assistant: rot ü 😀'] })),
    ]),
  ])('%s', async (path, records) => {
    const read = await readAs(`${cases}/${path}`);
    expect(read.problems).toEqual([]);
    expect(read.records).toMatchObject(records);
  });

  it('cli-vs-page: the same rows, and the same problems', async () => {
    const { records, problems, notes } = await readAs(`${cases}/cli-vs-page`);
    expect(records.map(({ id, seen }) => `${id}${seen ? ' seen' : ''}`)).toEqual([
      '1 seen',
      '2 seen',
      '6 seen',
      '7 seen',
      '8 seen',
      '9 seen',
      '10',
      '11',
    ]);
    expect(problems.map(({ where, reason }) => `${where}: ${reason}`)).toEqual([
      'data.json, record 3: it has 2 pictures; a record takes one',
      'data.json, record 4: its picture “gone.png” did not come along',
      'data.json, record 5: it begins with an answer',
      'data.json, record 12: it says <image> 2 times and has one picture',
      'data.json, record 13: it has "video": only pictures are read',
    ]);
    expect(notes.map(({ where }) => where)).toEqual(['Pictures']);
  });
});

describe('the command line', () => {
  let folder: string;
  let picture: Uint8Array;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nvlm-data-'));
    picture = await readFile(`${cases}/cli-vs-page/a.png`);
    await mkdir(join(folder, 'data', 'deep'), { recursive: true });
    await writeFile(join(folder, 'out.png'), picture);
    await symlink(join(folder, 'out.png'), join(folder, 'data', 'link.png'));
    await symlink(join(folder, 'data'), join(folder, 'data', 'deep', 'circle'));
    await writeFile(join(folder, 'data', 'in.png'), picture);
    await symlink(join(folder, 'data', 'in.png'), join(folder, 'data', 'alias.png'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('reads pictures outside of the data’s folder only when asked to', async () => {
    const file = join(folder, 'data', 'deep', 'rows.json');
    const names = ['../../out.png', join(folder, 'out.png'), `file://${join(folder, 'out.png')}`, '../link.png', '../alias.png'];
    await writeFile(file, JSON.stringify(names.map((image, i) => ({ id: i, image, question: 'Q?', answer: 'A' }))));
    const inside = await onCommandLine(join(folder, 'data'));
    expect(inside.records.map(({ id }) => id)).toEqual(['4']);
    expect(inside.report.problems.map(({ reason }) => reason)).toEqual([
      ...Array.from({ length: 3 }, () => expect.stringMatching(/lies outside.*--allow-outside/) as string),
      expect.stringMatching(/lies outside.*--allow-outside/) as string,
      expect.stringMatching(/a link out of/) as string,
    ]);
    const all = await onCommandLine(join(folder, 'data'), { allowOutside: true });
    expect(all.records).toHaveLength(5);
    expect(all.report.problems).toEqual([]);
  });

  it('takes the names of folders for labels, and asks the question that it is given', async () => {
    const pets = join(folder, 'pets');
    for (const path of ['train/cat/1.png', 'train/dog/2.png', 'test/dog/3.png']) {
      await mkdir(join(pets, path, '..'), { recursive: true });
      await writeFile(join(pets, path), picture);
    }
    const { records } = await onCommandLine(pets, { question: 'Which animal?' });
    expect(records.map((record) => [...said(record), record.heldOut])).toEqual([
      ['user: <image>\nWhich animal?', 'assistant: dog', true],
      ['user: <image>\nWhich animal?', 'assistant: cat', false],
      ['user: <image>\nWhich animal?', 'assistant: dog', false],
    ]);
    const inWords = await onCommandLine(pets, { answer: 'It is a {label}.' });
    expect(inWords.records.map((record) => said(record)[1])).toEqual(['dog', 'cat', 'dog'].map((pet) => `assistant: It is a ${pet}.`));
    await expect(onCommandLine(pets, { answer: 'A pet.' })).rejects.toMatchObject({
      code: 'usage',
      fix: expect.stringContaining('{label}') as string,
    });
  });

  it('says when there is nothing, and what is wrong when nothing can be used', async () => {
    await expect(onCommandLine(join(folder, 'none'))).rejects.toMatchObject({ code: 'not-found' });
    await writeFile(join(folder, 'bad.json'), '[');
    const { records, report } = await onCommandLine(join(folder, 'bad.json'));
    expect([records.length, report.problems[0]!.where]).toEqual([0, 'bad.json']);
  });
});
