import { describe, expect, it } from 'vitest';
import { writeZip } from '../../files/write-zip.ts';
import { PAGE_LIMITS } from '../limits.ts';
import type { ColumnMapping } from '../types.ts';
import { parseCsv } from './csv.ts';
import { describeTables, importFiles } from './import-files.ts';
import { readRow } from './read-row.ts';
import { blobFile, bytesFile, type SourceFile } from './source-file.ts';
import { zippedFiles } from './zip.ts';

const text = (value: string) => new TextEncoder().encode(value);
const file = (path: string, content: string | object) =>
  bytesFile(path, text(typeof content === 'string' ? content : JSON.stringify(content)));
const turns = [
  { from: 'human', value: 'Q?' },
  { from: 'gpt', value: 'A' },
];

/** Takes every picture that does not say otherwise. */
async function take(files: SourceFile[], mapping: ColumnMapping | null = null, room = 100) {
  const kept: string[] = [];
  const add = async (file: SourceFile) => {
    kept.push(`${file.path}:${new TextDecoder().decode(await file.slice(0, file.size))}`);
    return `pictures/${kept.length}.png`;
  };
  return { kept, ...(await importFiles(files, { add }, { mapping, room })) };
}

async function zipOf(entries: Record<string, Uint8Array>): Promise<SourceFile> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const files = Object.entries(entries).map(([path, bytes]) => ({ path, bytes }));
  for await (const part of writeZip(files)) parts.push(part as Uint8Array<ArrayBuffer>);
  return blobFile('data.zip', new Blob(parts));
}

describe('importing', () => {
  it('finds pictures beside the data, by the end of their path, and says which are missing or unused', async () => {
    const rows = [
      { id: 'beside', image: 'img/a.png', conversations: turns },
      { id: 'deep', image: 'coco/train/b.png', conversations: turns },
      { id: 'gone', image: 'c.png', conversations: turns },
      { id: 'out', image: '../a.png', conversations: turns },
      { id: 'twice', image: 'img/a.png', conversations: turns },
    ];
    const files = [file('set/data.json', rows), file('set/img/a.png', 'A'), file('b.png', 'B'), file('d.png', 'D')];
    const { records, kept, report } = await take(files);
    expect(records.map(({ id, image }) => [id, image])).toEqual([
      ['beside', 'pictures/1.png'],
      ['deep', 'pictures/2.png'],
      ['twice', 'pictures/1.png'],
    ]);
    expect(kept).toEqual(['set/img/a.png:A', 'b.png:B']);
    expect(report.problems.map(({ where }) => where)).toEqual([
      'set/data.json, record 3',
      'set/data.json, record 4',
    ]);
    expect(report.notes).toEqual([{ about: 'files', where: 'Pictures', reason: expect.stringMatching(/^1 of the pictures/) as string }]);
  });

  it('makes a draft of every picture that comes without data', async () => {
    const { records } = await take([file('x/one.png', '1'), file('two.jpg', '2'), file('readme.md', '')]);
    expect(records).toEqual([
      { id: 'one', task: 'all', image: 'pictures/1.png', messages: [], heldOut: false },
      { id: 'two', task: 'all', image: 'pictures/2.png', messages: [], heldOut: false },
    ]);
  });

  it('stops at the room that is left and says so', async () => {
    const rows = Array.from({ length: 5 }, (_, i) => ({ id: `${i}`, conversations: turns }));
    const { records, report } = await take([file('a.json', rows)], null, 3);
    expect(records).toHaveLength(3);
    expect(report.problems[0]).toMatchObject({ where: 'a.json, record 4' });
  });

  it('says what is wrong when nothing can be used', async () => {
    await expect(take([file('a.json', [3])])).rejects.toMatchObject({ code: 'bad-data', message: /record 1/ });
    await expect(take([file('a.exe', 'x')])).rejects.toMatchObject({ message: /a\.exe/ });
    await expect(take([file('a.json', '[')])).rejects.toMatchObject({ message: /not JSON/ });
    await expect(take([])).rejects.toMatchObject({ code: 'bad-data' });
  });

  it.each([
    [
      'roles',
      {
        messages: [
          { role: 'user', content: 'Q?' },
          { role: 'assistant', content: 'A' },
        ],
      },
    ],
    ['pairs', { texts: [{ user: 'Q?', assistant: 'A' }] }],
    [
      'parts',
      {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Q?' }] },
          { role: 'assistant', content: 'A' },
        ],
      },
    ],
    ['text', { conversations: JSON.stringify(turns) }],
    ['columns', { query: 'Q?', label: ['A', 'a'] }],
  ])('understands conversations as %s', (_, value) => {
    expect(readRow(value, 'row 1')).toMatchObject({
      record: {
        id: 'row 1',
        messages: [
          { role: 'user', content: 'Q?' },
          { role: 'assistant', content: 'A' },
        ],
      },
    });
  });

  it.each([
    ['no answer', { question: 'Q?', answer: '' }, /no answer/],
    ['several pictures', { images: ['a.png', 'b.png'], conversations: turns }, /2 pictures/],
    ['a picture elsewhere', { image: 'https://x/a.png', conversations: turns }, /address/],
    ['a stranger', { conversations: [{ from: 'tool', value: 'x' }] }, /neither human nor gpt/],
    ['a novel', { question: 'x'.repeat(100_001), answer: 'A' }, /100001 characters/],
    ['a list', [], /object/],
    ['endless turns', { conversations: Array.from({ length: 402 }, () => turns[0]) }, /402 turns/],
  ])('sets aside %s', (_, value, reason) => {
    expect(readRow(value, 'row')).toEqual({ reason: expect.stringMatching(reason) as string });
  });
});

describe('CSV', () => {
  const cells = (csv: string) => [...parseCsv(csv)].map((row) => row.cells);

  it('reads quotes, line breaks in cells, other delimiters and Windows line ends', () => {
    expect(cells('a;b\r\n"x;""y""";"two\nlines"\r\n\r\nlast;')).toEqual([
      ['a', 'b'],
      ['x;"y"', 'two\nlines'],
      ['last', ''],
    ]);
    expect([...parseCsv('a,b\n"1\n2",3\n4,5')].map(({ line }) => line)).toEqual([1, 2, 4]);
    expect(cells('a,b\n"never closed,1\n2,3')).toEqual([['a', 'b'], ['never closed,1\n2,3']]);
  });

  it('takes columns by their usual names or as told, and lists rows of another width', async () => {
    const csv = file('t.csv', 'image,question,answer,split\na.png,Q1?,1,train\nb.png,Q2?\na.png,Q3?,3,test\n');
    const pictures = [file('a.png', 'A'), file('b.png', 'B')];
    const { records, report } = await take([csv, ...pictures]);
    expect(records.map(({ messages, heldOut }) => [messages[1]!.content, heldOut])).toEqual([
      ['1', false],
      ['3', true],
    ]);
    expect(report.problems[0]).toEqual({ where: 't.csv, line 3', reason: 'it has 2 cells; the header has 4' });
    const [table] = await describeTables([csv]);
    expect(table).toMatchObject({ columns: ['image', 'question', 'answer', 'split'] });
    const mapping = { ...table!.mapping, question: null, answer: 'question', fixedQuestion: 'Say it.' };
    const told = await take([csv, ...pictures], mapping);
    expect(told.records[0]!.messages.map(({ content }) => content)).toEqual(['Say it.', 'Q1?']);
    await expect(take([file('u.csv', 'x,y\n1,2\n')])).rejects.toMatchObject({ message: /x, y/ });
  });
});

describe('zip', () => {
  it('gives its files, but for what systems put in and for paths that leave the archive', async () => {
    const names = ['a/b.txt', '__MACOSX/x', 'ü.txt', '../up.png', '/etc/x.png'];
    const { files, problems } = await zippedFiles(await zipOf(Object.fromEntries(names.map((name) => [name, text(name)]))), PAGE_LIMITS);
    const read = await Promise.all(files.map(async (one) => new TextDecoder().decode(await one.slice(0, one.size))));
    expect(read).toEqual(['a/b.txt', 'ü.txt']);
    expect(problems.map(({ where }) => where)).toEqual(['data.zip: ../up.png', 'data.zip: /etc/x.png']);
  });
});
