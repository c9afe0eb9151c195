import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { remoteFile } from '../remote-file.ts';
import { describeFiles, importFiles } from './import-files.ts';
import { bytesFile, type SourceFile } from './source-file.ts';

/** Three rows in two groups, snappy: `image` bytes, `query`, and `label` as numbers of the classes cat and dog. */
const bytes = Uint8Array.from(await readFile('tests/fixtures/datasets/classes.parquet'));

async function take(file: SourceFile) {
  const kept: string[] = [];
  const add = async (picture: SourceFile) => `pictures/${kept.push(new TextDecoder().decode(await picture.slice(0, picture.size)))}.png`;
  return { kept, ...(await importFiles([file], { add }, { mapping: null, room: 10 })) };
}

/** A server that gives ranges of the file, and what it was asked for. */
function server(answer: (range: [number, number]) => Response) {
  const asked: { url: string; range: [number, number] }[] = [];
  const fetch = (async (url: URL, { headers }: { headers: { range: string } }) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range)!;
    const range: [number, number] = [Number(from), Number(to)];
    asked.push({ url: url.href, range });
    return answer(range);
  }) as unknown as typeof globalThis.fetch;
  return { fetch, asked };
}

const part = ([from, to]: [number, number]) =>
  new Response(bytes.slice(from, to + 1), {
    status: 206,
    headers: { 'content-range': `bytes ${from}-${to}/${bytes.length}` },
  });

describe('parquet', () => {
  it('reads pictures in the rows and classes by their names, and says which rows cannot be used', async () => {
    const { records, kept, report } = await take(bytesFile('classes.parquet', bytes));
    expect(kept).toEqual(['one', 'two']);
    expect(records.map(({ image, messages }) => [image, ...messages.map(({ content }) => content)])).toEqual([
      ['pictures/1.png', 'What is it?', 'dog'],
      ['pictures/2.png', 'And this?', 'cat'],
    ]);
    expect(report.problems).toEqual([{ where: 'classes.parquet, row 3', reason: 'it has no question' }]);
    expect((await describeFiles([bytesFile('classes.parquet', bytes)])).tables).toMatchObject([
      {
        columns: ['image', 'query', 'label'],
        rows: 3,
        mapping: { image: 'image', question: 'query', answer: 'label' },
      },
    ]);
  });

  it('says so of a damaged directory, whatever byte of it is wrong', async () => {
    const directory = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
    for (let at = directory; at < bytes.length; at += 3) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0xff;
      await take(bytesFile('classes.parquet', damaged)).catch((error: unknown) =>
        expect(error).toMatchObject({ name: 'NvlmError', code: 'bad-data' }),
      );
    }
    await expect(take(bytesFile('cut.parquet', bytes.slice(0, 100)))).rejects.toMatchObject({ code: 'bad-data' });
  });
});

describe('a damaged page of a parquet file', () => {
  const directory = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);

  // Without a look at the headers, one in fifteen keeps the reader busy for minutes.
  it.each([0xff, 0x80])('ends in an answer or a named error, and soon (%s)', async (mask) => {
    for (let at = 4; at < directory; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= mask;
      await take(bytesFile('classes.parquet', damaged)).catch((error: unknown) =>
        expect(error).toMatchObject({ name: 'NvlmError', code: 'bad-data' }),
      );
    }
  });
});

describe('a file on the web', () => {
  it('is read in ranges, from the file behind a hub’s page of it', async () => {
    const { fetch, asked } = server(part);
    const file = await remoteFile('https://huggingface.co/datasets/a/b/blob/main/classes.parquet', { fetch });
    expect((await take(file)).records).toHaveLength(2);
    expect(asked[0]!.url).toBe('https://huggingface.co/datasets/a/b/resolve/main/classes.parquet');
  });

  it.each([
    ['http://huggingface.co/x.parquet', 'usage'],
    ['https://huggingface.co/datasets/a/b', 'usage'],
    ['nonsense', 'usage'],
  ])('is no %s', async (address, code) => {
    await expect(remoteFile(address, { fetch: server(part).fetch })).rejects.toMatchObject({ code });
  });

  it('must be there, in ranges, and not endless', async () => {
    const ask = (answer: () => Response) => remoteFile('https://a.b/x.csv', { fetch: server(answer).fetch });
    await expect(ask(() => new Response('', { status: 404 }))).rejects.toMatchObject({ code: 'not-found' });
    await expect(ask(() => new Response('all of it'))).rejects.toMatchObject({ code: 'network' });
    const headers = { 'content-range': `bytes 0-0/${2 ** 33}` };
    await expect(ask(() => new Response('x', { status: 206, headers }))).rejects.toMatchObject({ code: 'bad-data' });
  });
});
