import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { startFaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { HeadStart, type BegunRequest } from './head-start.ts';
import { httpFiles } from './http-files.ts';
import { rangeRequest, wholeRequest } from './http-requests.ts';

const SIZE = 3_000_000;
const data = Uint8Array.from({ length: SIZE }, (_, i) => (i * 2654435761) >>> 24);
const config = new TextEncoder().encode('{"a":1}');
const WEIGHTS = 'model.safetensors';
const spans = [
  { start: 5000, end: 900_000 },
  { start: 900_000, end: 2_000_000 },
  { start: 2_000_000, end: SIZE },
];

let server: FaultServer;
beforeEach(async () => {
  server = await startFaultServer({ [WEIGHTS]: data, 'config.json': config });
});
afterEach(() => server.close());

function begin(path: string, init: RequestInit): BegunRequest {
  const stop = new AbortController();
  const url = `${server.url}/${path}`;
  const response = fetch(url, { ...init, signal: stop.signal });
  response.catch(() => undefined);
  return { url, init, stop, response };
}

async function begun(...requests: BegunRequest[]) {
  const start = new HeadStart(requests);
  await Promise.all(requests.map(({ response }) => response.catch(() => undefined)));
  return { start, files: httpFiles(server.url, { retry: { attempts: 3, baseMs: 5, stallMs: 2000 }, fetch: start.fetch }) };
}

const asked = () => server.seen.map(({ method, path, range }) => [method, path, range].filter(Boolean).join(' '));
const same = (bytes: Uint8Array, start: number, end: number) => Buffer.compare(bytes, data.subarray(start, end)) === 0;

type Files = Awaited<ReturnType<typeof begun>>['files'];

/** Its header in two reads and then its tensors in a stream, as a load reads it. */
async function readsRight(files: Files): Promise<void> {
  expect(await files.size(WEIGHTS)).toBe(SIZE);
  expect(same(await files.read(WEIGHTS, 0, 8), 0, 8)).toBe(true);
  expect(same(await files.read(WEIGHTS, 8, 5000), 8, 5000)).toBe(true);
  let next = 0;
  for await (const bytes of files.stream!(WEIGHTS, spans)) {
    const { start, end } = spans[next++]!;
    expect(same(bytes, start, end)).toBe(true);
  }
  expect(next).toBe(spans.length);
}

describe('a request that was begun', () => {
  it('answers the first who asks for a small file, and him alone', async () => {
    const { files } = await begun(begin('config.json', wholeRequest));
    for (const _ of [1, 2]) expect(await files.readAll('config.json', 1000)).toEqual(config);
    expect(asked()).toEqual(['GET config.json', 'GET config.json']);
  });

  it('answers everything that is asked of a large file as it is read forwards, its size too', async () => {
    const { files } = await begun(begin(WEIGHTS, rangeRequest(0)));
    await readsRight(files);
    expect(asked()).toEqual([`GET ${WEIGHTS} bytes=0-`]);
  });

  it('leaves what does not come next to the server, and goes on where it was', async () => {
    const { files } = await begun(begin(WEIGHTS, rangeRequest(0)));
    expect(same(await files.read(WEIGHTS, 0, 8), 0, 8)).toBe(true);
    expect(same(await files.read(WEIGHTS, 100, 300), 100, 300)).toBe(true);
    expect(same(await files.read(WEIGHTS, 8, 5000), 8, 5000)).toBe(true);
    expect(asked()).toEqual([`GET ${WEIGHTS} bytes=0-`, `GET ${WEIGHTS} bytes=100-299`]);
  });

  it('is the one pass over a file of a server without Range', async () => {
    server.ranges = false;
    const { files } = await begun(begin(WEIGHTS, rangeRequest(0)));
    await readsRight(files);
    expect(asked()).toEqual([`GET ${WEIGHTS} bytes=0-`, `HEAD ${WEIGHTS}`]);
  });

  it('is made again when it failed, with the error there that it has without', async () => {
    server.fault = ({ response, earlier }) => earlier === 0 && Boolean(response.writeHead(500).end());
    const { files } = await begun(begin('config.json', wholeRequest), begin(WEIGHTS, rangeRequest(0)));
    expect(await files.readAll('config.json', 1000)).toEqual(config);
    await readsRight(files);

    server.fault = ({ response }) => Boolean(response.destroy());
    const lost = await begun(begin('config.json', wholeRequest), begin(WEIGHTS, rangeRequest(0)));
    await expect(lost.files.readAll('config.json', 1000)).rejects.toMatchObject({ code: 'network' });
    await expect(lost.files.read(WEIGHTS, 0, 8)).rejects.toMatchObject({ code: 'network' });
  });

  it('that breaks off is gone on with from that byte', async () => {
    server.fault = ({ request, response, body }) => {
      if (request.headers.range !== 'bytes=0-') return false;
      response.writeHead(206, { 'Content-Range': `bytes 0-${SIZE - 1}/${SIZE}`, 'Content-Length': SIZE });
      response.write(body.subarray(0, 1_000_000), () => setTimeout(() => response.destroy(), 50));
      return true;
    };
    const { files } = await begun(begin(WEIGHTS, rangeRequest(0)));
    await readsRight(files);
    expect(asked().slice(1)).toEqual([expect.stringMatching(/^GET model.safetensors bytes=\d{6,7}-2999999$/)]);
  });

  it('of another file than it was is refused as ever', async () => {
    const { files } = await begun(begin(WEIGHTS, rangeRequest(0)));
    await files.read(WEIGHTS, 0, 8);
    server.etag = () => '"another"';
    await expect(files.read(WEIGHTS, 100, 200)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('ends with the one who reads it, and when nobody has asked for it', async () => {
    const closed = (path: string) => expect.poll(() => server.seen.find((one) => one.path === path)?.aborted).toBe(true);
    for (const path of ['read', 'unread']) server.files.set(path, data);
    // The rest never comes.
    server.fault = ({ response, body }) => {
      response.writeHead(206, { 'Content-Range': `bytes 0-${SIZE - 1}/${SIZE}`, 'Content-Length': SIZE });
      return response.write(body.subarray(0, 1_500_000)) || true;
    };
    const { files, start } = await begun(begin('read', rangeRequest(0)), begin('unread', rangeRequest(0)));
    const reader = new AbortController();
    const reading = files.stream!(
      'read',
      [
        { start: 0, end: 2 ** 20 },
        { start: 2 ** 20, end: 2 ** 21 },
      ],
      reader.signal,
    );
    await reading.next();
    reader.abort();
    await expect(reading.next()).rejects.toMatchObject({ code: 'cancelled' });
    await closed('read');
    expect(server.seen.find(({ path }) => path === 'unread')?.aborted).toBe(false);
    start.end();
    await closed('unread');
  });
});
