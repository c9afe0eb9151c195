import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { endsTyped, expectTyped, hostileFiles } from '../../../tests/support/hostile.ts';
import { writeZip } from '../../files/write-zip.ts';
import { jsonRows } from '../json-rows.ts';
import { listFrom } from './cell-list.ts';
import { readFiles } from './import-files.ts';
import { readRow } from './read-row.ts';
import { bytesFile } from './source-file.ts';

const cases = new URL('../../../tests/fixtures/cases/', import.meta.url);
const read = (path: string) => Uint8Array.from(readFileSync(new URL(path, cases)));
const text = (value: string) => new TextEncoder().encode(value);

/** Takes a file of any kind as the page does, pictures undecoded. */
const take = (name: string) => (bytes: Uint8Array) =>
  readFiles(
    [bytesFile(name, bytes), bytesFile('a.png', text('A'))],
    { add: async ({ path, slice, size }) => `${path}${(await slice(0, size)).length}` },
    { mapping: null, room: 1000 },
  );

/** Names that rows have and names that mean something to JavaScript, with values of every kind. */
const NAMES = [
  ...[
    'image',
    'images',
    'question',
    'answer',
    'answers',
    'conversations',
    'messages',
    'input',
    'instruction',
    'output',
    'history',
    'system',
  ],
  ...[
    'choices',
    'options',
    'split',
    'id',
    'task',
    'video',
    'label',
    'A',
    'B',
    '__proto__',
    'constructor',
    'toString',
    'role',
    'from',
    'content',
    'value',
    'type',
    'image_url',
    'url',
    'bytes',
    'path',
  ],
];
const word = fc.constantFrom(
  'user',
  'assistant',
  'human',
  'gpt',
  'system',
  'constructor',
  '__proto__',
  '<image>',
  '<img>a.png</img>',
  'data:image/png;base64,AAAA',
  'data:,',
  'image',
  'text',
  "['a', 'b']",
  '[{',
  'A',
  '1',
  'a.png',
  '../../etc/passwd',
  'file:///a.png',
  '\ud800',
);
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    word,
    fc.string(),
    fc.constantFrom(null, undefined, NaN, Infinity, 0, 1, -1, 2n, true, new Uint8Array(3)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 5 }),
  ),
}));

describe('10,000 hostile inputs give a typed error or a value', () => {
  it('rows of any make', () => expectTyped(anything, (row) => readRow(row, 'row 1')));

  it('rows of turns', async () => {
    const turn = fc.dictionary(fc.constantFrom('from', 'value', 'role', 'content', 'image', 'type', 'text'), anything, { maxKeys: 4 });
    await expectTyped(fc.array(turn, { maxLength: 4 }), (conversations) => readRow({ conversations, image: 'a.png' }, 'row 1'));
  });

  it('JSON and JSONL', async () => {
    const seeds = [
      'import/alpaca/data.jsonl',
      'import/docvqa/train.json',
      'import/image_url/data.jsonl',
      'import/nan/data.json',
      'cli-vs-page/data.json',
    ].map(read);
    await expectTyped(hostileFiles(seeds), take('data.json'));
    const lines = fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', '\n', ',', ':', 'NaN', '-Infinity', '{"a":1}', '\ufeff', ' '), {
      maxLength: 60,
    });
    await expectTyped(lines, (parts) => take('data.jsonl')(text(parts.join(''))), 3_000);
    const long = [
      '['.repeat(200_000),
      '{"a":'.repeat(50_000),
      '{\n'.repeat(20_000),
      '"'.repeat(200_000),
      `{"a":"${'\\"'.repeat(100_000)}`,
      'NaN"'.repeat(50_000),
    ];
    for (const hostile of long) await endsTyped(() => jsonRows(hostile));
  });

  it('cells that look like lists', async () => {
    for (const hostile of ["['".repeat(100_000), `['${"\\'".repeat(200_000)}`, '('.repeat(300_000), `[${'nan,'.repeat(100_000)}]`])
      await endsTyped(() => listFrom(hostile));
    await expectTyped(
      fc.string().map((inside) => `[${inside}]`),
      listFrom,
    );
  });

  it('CSV', async () => {
    const seeds = [
      'image,question,answer\na.png,"Q, ""1""?",A\na.png,Q2?,B\n',
      'text;label\r\n"two\nlines";x\r\n',
      'question\tchoices\tanswer\nQ\t["a","b"]\t1\n',
    ].map(text);
    await expectTyped(hostileFiles(seeds), take('t.csv'));
    for (const hostile of [`a,b\n${'"'.repeat(200_000)}`, `answer\n${'"x"\n'.repeat(10_000)}`, ','.repeat(200_000)])
      await endsTyped(() => take('t.csv')(text(hostile)));
  });

  it('parquet under every method of packing', async () => {
    const names = ['gzip', 'lz4', 'zstd', 'brotli'].map((codec) => `parquet/llava_${codec}.parquet`);
    const seeds = [...names, 'parquet/vqa.parquet', '../datasets/classes.parquet'].map(read);
    await expectTyped(hostileFiles(seeds), take('t.parquet'));
  });

  it('ZIP files of data', async () => {
    const parts: Uint8Array[] = [];
    const files = [
      { path: 'data.json', bytes: read('import/nan/data.json') },
      { path: 'img/a.png', bytes: text('A') },
      { path: 't.csv', bytes: text('question,answer\nQ,A\n') },
    ];
    for await (const part of writeZip(files)) parts.push(part);
    const zip = Uint8Array.from(Buffer.concat(parts));
    await expectTyped(hostileFiles([zip, read('picture-names/backslash.zip'), read('picture-names/nfd.zip')]), take('t.zip'));
  });
});
