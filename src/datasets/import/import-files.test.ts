import { describe, expect, it } from 'vitest';
import { writeZip } from '../../files/write-zip.ts';
import { PAGE_LIMITS } from '../limits.ts';
import type { ColumnMapping } from '../types.ts';
import { parseCsv } from './csv.ts';
import { describeFiles, importFiles } from './import-files.ts';
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
    expect(report.problems.map(({ where }) => where)).toEqual(['set/data.json, record 3', 'set/data.json, record 4']);
    expect(report.notes).toEqual([{ about: 'files', where: 'Pictures', reason: expect.stringMatching(/^1 of the pictures/) as string }]);
  });

  it('makes a draft of every picture that comes without data', async () => {
    const { records } = await take([file('x/one.png', '1'), file('two.jpg', '2'), file('readme.md', '')]);
    expect(records).toEqual([
      { id: 'one', task: 'all', image: 'pictures/1.png', messages: [], heldOut: false },
      { id: 'two', task: 'all', image: 'pictures/2.png', messages: [], heldOut: false },
    ]);
  });

  it('finds a picture by however its name is written, unless two files answer to it', async () => {
    const names = [
      'IMG/A.PNG',
      'img\\a.png',
      'C:\\x\\a.png',
      '/data/img/a.png',
      'img/../img/a.png',
      'img/%61.png',
      'caf\u00e9.png',
      'x/b.png',
      'B.png',
    ];
    const rows = names.map((image) => ({ id: image, image, conversations: turns }));
    const files = [
      file('set/data.json', rows),
      ...['set/img/a.png', 'set/cafe\u0301.png', 'p/b.png', 'q/b.png'].map((path) => file(path, path)),
    ];
    const { records, kept, report } = await take(files);
    expect(records.map(({ id }) => id)).toEqual(names.slice(0, 7));
    expect(kept.map((one) => one.split(':')[0])).toEqual(['set/img/a.png', 'set/cafe\u0301.png']);
    expect(report.problemCount).toBe(2);
  });

  it('takes what a folder’s data.json leaves out for no data, and files named so for held out', async () => {
    const rows = [{ question: 'Q?', answer: 'A' }];
    const whole = await take([file('d/data.json', rows), file('d/replay.json', rows), file('e/more.json', rows)]);
    expect([whole.records.length, whole.report.notes.map(({ where }) => where)]).toEqual([2, ['d/replay.json']]);
    const split = await take([file('train-00000.json', rows), file('validation.json', rows)]);
    expect(split.records.map(({ heldOut }) => heldOut)).toEqual([false, true]);
    expect((await take([file('test.json', rows)])).records[0]!.heldOut).toBe(false);
  });

  it('takes folders for labels where every picture lies in one of several', async () => {
    const labelled = await take(['pets/train/cat/1.png', 'pets/val/dog/2.png'].map((path) => file(path, path)));
    expect(labelled.records.map(({ messages, heldOut }) => [messages[1]?.content, heldOut])).toEqual([
      ['cat', false],
      ['dog', true],
    ]);
    expect(
      (await describeFiles(['pets/train/cat/1.png', 'pets/val/dog/2.png', 'pets/train/dog/3.png'].map((path) => file(path, path)))).labels,
    ).toEqual([
      { label: 'cat', pictures: 1 },
      { label: 'dog', pictures: 2 },
    ]);
    const others = [
      ['100CANON/1.png', '101CANON/2.png'],
      ['train/1.png', 'test/2.png'],
      ['a/1.png', 'b/2.png', '3.png'],
    ];
    for (const paths of others)
      expect((await take(paths.map((path) => file(path, path)))).records.every(({ messages }) => messages.length === 0)).toBe(true);
  });

  it('says which fields of rows it did not read', async () => {
    const { report } = await take([
      file('a.jsonl', '{"question":"Q?","answer":["A","B"],"score":NaN,"url":"u"}\n{"question":"Q?","answer":"A","url":"u"}'),
    ]);
    expect(report.notes).toEqual([{ about: 'fields', where: 'a.jsonl', reason: 'not read: further answers (1 row), url (2 rows)' }]);
  });

  it.each([
    [
      'pretty-printed objects, one after the other',
      JSON.stringify({ question: 'Q?', answer: 'A' }, null, 1) + '\n' + JSON.stringify({ question: 'R?', answer: 'B' }, null, 1),
      ['A', 'B'],
    ],
    ['a broken object between good lines', '{"question":"Q?","answer":"A"}\n{"question": \n{"question":"R?","answer":"B"}', ['A', 'B']],
    ['infinities outside of strings', '[{"question":"NaN?","answer":"-Infinity","score":-Infinity}]', ['-Infinity']],
    ['rows in an object', '{"version":"1","data":[{"question":"Q?","answer":"A"}]}', ['A']],
    ['columns, as pandas writes them', '{"question":{"0":"Q?","1":"R?"},"answer":{"0":"A","1":"B"}}', ['A', 'B']],
    ['rows of a hub’s API', '{"features":[],"rows":[{"row_idx":0,"row":{"question":"Q?","answer":"A"}}]}', ['A']],
  ])('reads JSON as %s', async (_, json, answers) => {
    expect((await take([file('a.json', json)])).records.map(({ messages }) => messages[1]!.content)).toEqual(answers);
  });

  it('reads every split that an object lists, keeps those named so out of training, and names lists that it does not read', async () => {
    const row = (answer: string) => ({ question: 'Q?', answer });
    const read = async (json: object) => {
      const { records, report } = await take([file('a.json', json)]);
      return {
        rows: records.map(({ messages, heldOut }) => [messages[1]!.content, heldOut]),
        notes: report.notes.map(({ reason }) => reason),
      };
    };
    expect(await read({ train: [row('A'), row('B')], validation: [row('C')], test: [row('D')], info: [{ year: 2024 }] })).toEqual({
      rows: [
        ['A', false],
        ['B', false],
        ['C', true],
        ['D', true],
      ],
      notes: ['not read: info (1 row)'],
    });
    expect(await read({ test: [row('A')], dev: [row('B')] })).toEqual({
      rows: [
        ['A', false],
        ['B', false],
      ],
      notes: [],
    });
    expect(await read({ test: [row('A')] })).toEqual({ rows: [['A', false]], notes: [] });
    expect(await read({ data: [row('A')], test: [row('B')] })).toEqual({ rows: [['A', false]], notes: ['not read: test (1 row)'] });
    const broken = await take([file('a.json', { train: [row('A')], test: [{ question: 'Q?' }] })]);
    expect(broken.report.problems).toEqual([{ where: 'a.json, test, record 1', reason: 'it has no answer' }]);
  });

  it('says of a picture once that a model sees it otherwise than people do', async () => {
    const header = [137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 9, 0, 0, 0, 9];
    const grey = (depth: number) => bytesFile(`${depth}.png`, Uint8Array.from([...header, depth, 0]));
    const rows = ['16.png', '16.png', '8.png'].map((image) => ({ image, conversations: turns }));
    const { report } = await take([file('a.json', rows), grey(16), grey(8)]);
    expect(report.notes).toEqual([{ about: 'pictures', where: '16.png', reason: expect.stringContaining('grey of 16 bits') as string }]);
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

  const asked = (content: unknown) => ({
    messages: [
      { role: 'user', content },
      { role: 'assistant', content: 'A' },
    ],
  });
  it.each([
    ['a system message', { system: 'Be short.', ...asked('Q?') }, ['Be short.', 'Q?', 'A']],
    [
      'several system turns',
      { messages: [{ role: 'system', content: 'S' }, { role: 'developer', content: 'T' }, ...asked('Q?').messages] },
      ['S\n\nT', 'Q?', 'A'],
    ],
    ['history of turns', { query: 'Q?', response: 'A', history: asked('H?').messages }, ['H?', 'A', 'Q?', 'A']],
    ['an input', { instruction: 'Translate', input: 'cat', output: 'chat' }, ['Translate\ncat', 'chat']],
    [
      'prompt and completion of messages',
      { prompt: [{ role: 'user', content: 'Q?' }], completion: [{ role: 'assistant', content: 'A' }] },
      ['Q?', 'A'],
    ],
    ['columns of lists', { conversations: { from: ['human', 'gpt'], value: ['Q?', 'A'] } }, ['Q?', 'A']],
    [
      'Python’s spelling',
      { conversations: "[{'from': 'human', 'value': \"It's?\"}, {'from': 'gpt', 'value': 'A', 'x': None}]" },
      ["It's?", 'A'],
    ],
    ['choices by number', { question: 'Q?', choices: ['a', 'b'], answer: 1 }, ['Q?\nA. a\nB. b', 'b']],
    ['choices by a number among numbers', { question: 'Q?', choices: ['3', '1'], answer: 0 }, ['Q?\nA. 3\nB. 1', '3']],
    ['choices by letter', { question: 'Q?', options: "['a', 'b']", answer: '(B)' }, ['Q?\nA. a\nB. b', 'b']],
    ['choices by words', { question: 'Is it a or b?', choices: { A: 'a', B: 'b' }, answer: 'b' }, ['Is it a or b?', 'b']],
    ['choices in columns', { question: 'Q?', A: 'a', B: 'b', answer: 'A' }, ['Q?\nA. a\nB. b', 'a']],
    ['the most frequent answer', { question: 'Q?', answers: [{ answer: 'no' }, { answer: 'yes' }, { answer: 'yes' }] }, ['Q?', 'yes']],
    ['SQuAD’s answers', { question: 'Q?', answers: { text: ['a', 'b'], answer_start: [1, 2] } }, ['Q?', 'a']],
    [
      'parts of a later turn',
      {
        messages: [
          ...asked('Q?').messages,
          ...asked([
            { type: 'text', text: 'R?' },
            { type: 'image', image: 'a.png' },
          ]).messages,
        ],
      },
      ['Q?', 'A', 'R?\n<image>', 'A'],
    ],
    [
      'a picture beside the text',
      {
        messages: [
          { role: 'user', content: 'Q?', images: ['a.png'] },
          { role: 'assistant', content: 'A' },
        ],
      },
      ['<image>\nQ?', 'A'],
    ],
    ['HTML', asked('See <img alt="x" src="a.png"> it'), ['See <image>\n it', 'A']],
    ['another placeholder', { image: 'a.png', ...asked('<|vision_start|><|image_pad|><|vision_end|>Q?') }, ['<image>Q?', 'A']],
    [
      'a picture named twice',
      {
        images: ['a.png'],
        ...asked([
          { type: 'image', image: 'a.png' },
          { type: 'text', text: 'Q?' },
        ]),
      },
      ['<image>\nQ?', 'A'],
    ],
  ])('keeps %s', (_, value, contents) => {
    const read = readRow(value, 'row 1');
    if ('reason' in read) throw new Error(read.reason);
    expect(read.record.messages.map(({ content }) => content)).toEqual(contents);
    expect(read.picture !== null).toBe(contents.some((content) => content.includes('<image>')));
  });

  it.each([
    ['data:', { image: 'data:image/png;base64,aGFsbG8=' }],
    ['base64 alone', { image: `iVBORw0KGgo${'A'.repeat(45)}` }],
    ['an API’s part', asked([{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGFsbG8=' } }])],
    ['bytes', { image: { bytes: new Uint8Array(5), path: null } }],
  ])('takes pictures as %s', (_, fields) => {
    expect(readRow({ question: 'Q?', answer: 'A', ...fields }, 'row')).toMatchObject({
      picture: { bytes: expect.any(Uint8Array) as Uint8Array },
    });
  });

  it.each([
    ['a video', { video: 'a.mp4', question: 'Q?', answer: 'A' }, /video/],
    ['a part of video', asked([{ type: 'video_url', video_url: { url: 'a.mp4' } }]), /video or sound/],
    ['a video by its placeholder', asked('<video>\nQ?'), /video or sound/],
    ['two places', { image: 'a.png', ...asked('<image> or <image>?') }, /2 times/],
    [
      'a place in an answer',
      {
        image: 'a.png',
        messages: [
          { role: 'user', content: 'Q?' },
          { role: 'assistant', content: '<image>' },
        ],
      },
      /only stand in a question/,
    ],
    [
      'two pictures in turns',
      asked([
        { type: 'image', image: 'a.png' },
        { type: 'image', image: 'b.png' },
      ]),
      /2 pictures/,
    ],
    ['an answer of no choice', { question: 'Q?', choices: ['a'], answer: 3 }, /none of its 1 choices/],
    [
      'a tool',
      {
        messages: [
          { role: 'user', content: 'Q?' },
          { role: 'assistant', content: '', tool_calls: [{ id: 1 }] },
        ],
      },
      /tool/,
    ],
    [
      'a turn not to be learnt',
      {
        messages: [
          { role: 'user', content: 'Q?' },
          { role: 'assistant', content: 'A', weight: 0 },
        ],
      },
      /weight/,
    ],
    ['a file by id', asked([{ type: 'input_image', file_id: 'f' }]), /file_id/],
    ['text alone', { text: 'A' }, /no question/],
    ['damaged base64', { image: 'data:image/png;base64,%', question: 'Q?', answer: 'A' }, /damaged/],
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
    const [table] = (await describeFiles([csv])).tables;
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
