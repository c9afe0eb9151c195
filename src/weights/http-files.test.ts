import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { startFaultServer } from '../../tests/fixtures/weights/fault-server.ts';
import { pauseMs, retryAfterMs } from './back-off.ts';
import { httpFiles } from './http-files.ts';
import type { ModelFiles } from './source.ts';
import { MAX_READ_BYTES } from './source.ts';

const SIZE = 3_000_000;
const data = Uint8Array.from({ length: SIZE }, (_, i) => (i * 2654435761) >>> 24);
const FILE = 'model.safetensors';
const retry = { attempts: 3, baseMs: 5, stallMs: 300 };

let server: FaultServer;
let files: ModelFiles;

beforeEach(async () => {
  server = await startFaultServer({
    [FILE]: data,
    'config.json': new TextEncoder().encode('{"a":1}'),
    empty: new Uint8Array(0),
  });
  files = httpFiles(server.url, { retry });
});
afterEach(() => server.close());

const same = (bytes: Uint8Array, start: number, end: number) => Buffer.compare(bytes, data.subarray(start, end)) === 0;

/** Reads the file forwards in uneven parts, with a skip and a step back, and compares every byte. */
async function readsRight(): Promise<void> {
  const spans = [
    [0, 8],
    [8, 5000],
    [5000, 1_000_000],
    [1_200_000, 2_000_000],
    [100, 300],
    [2_000_000, SIZE],
  ] as const;
  for (const [start, end] of spans) expect(same(await files.read(FILE, start, end), start, end)).toBe(true);
}

describe('a sound server', () => {
  it('is read by ranges', async () => {
    expect(await files.size(FILE)).toBe(SIZE);
    await readsRight();
    expect(server.seen.every(({ method, range }) => method === 'HEAD' || range !== undefined)).toBe(true);
  });

  it('is read side by side once Range is known to work', async () => {
    await files.read(FILE, 0, 8);
    let open = 0;
    let most = 0;
    server.fault = ({ request, response, body }) => {
      most = Math.max(most, ++open);
      response.on('close', () => open--);
      const [start, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      setTimeout(() => response.writeHead(206).end(body.subarray(start, end + 1)), 30);
      return true;
    };
    const parts = await Promise.all([0, 1, 2, 3].map((i) => files.read(FILE, i * 500_000, (i + 1) * 500_000)));
    parts.forEach((part, i) => expect(same(part, i * 500_000, (i + 1) * 500_000)).toBe(true));
    expect(most).toBeGreaterThan(1);
  });

  it('gives whole small files, and null for absent ones', async () => {
    expect(new TextDecoder().decode((await files.readAll('config.json', 100))!)).toBe('{"a":1}');
    expect(await files.readAll('generation_config.json', 100)).toBeNull();
    expect(await files.size('nothing')).toBeNull();
    expect(await files.size('empty')).toBe(0);
    await expect(files.read('nothing', 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    await expect(files.readAll(FILE, SIZE - 1)).rejects.toMatchObject({ code: 'bad-model' });
  });

  it('is never asked for names outside the folder or for too much at once', async () => {
    const names = ['../secret', 'a/../../b', '/etc/passwd', 'a\\b', '..', '', 'a//b', '%2e%2e/x', 'http://x/y', 'a\0b', './a', '~x'];
    for (const path of names) {
      await expect(files.readAll(path, 10)).rejects.toMatchObject({ code: 'bad-model' });
      await expect(files.read(path, 0, 1)).rejects.toMatchObject({ code: 'bad-model' });
      await expect(files.size(path)).rejects.toMatchObject({ code: 'bad-model' });
    }
    await expect(files.read(FILE, 0, MAX_READ_BYTES + 1)).rejects.toMatchObject({ code: 'internal' });
    await expect(files.read(FILE, -1, 4)).rejects.toMatchObject({ code: 'internal' });
    expect(server.seen).toEqual([]);
  });

  it('keeps a query on every address and out of messages', async () => {
    const signed = httpFiles(`${server.url}?token=secret`, { retry });
    server.fault = ({ request, response }) => {
      expect(request.url).toContain('?token=secret');
      response.writeHead(403).end();
      return true;
    };
    const error = await signed.readAll('config.json', 100).catch((e: Error) => e);
    expect(error).toMatchObject({ code: 'network' });
    expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).not.toContain('secret');
    expect(signed.id).not.toContain('secret');
  });
});

describe('a server without Range', () => {
  beforeEach(() => {
    server.ranges = false;
  });

  it('is read in one pass while reads go forwards', async () => {
    for (let at = 0; at < SIZE; at += 700_000) {
      const end = Math.min(SIZE, at + 700_000);
      expect(same(await files.read(FILE, at, end), at, end)).toBe(true);
    }
    expect(server.seen.length).toBe(1);
  });

  it('is read right with skips, steps back and reads side by side', async () => {
    await readsRight();
    const [a, b] = await Promise.all([files.read(FILE, 0, 1000), files.read(FILE, 1000, 400_000)]);
    expect(same(a, 0, 1000) && same(b, 1000, 400_000)).toBe(true);
  });

  it('is let go when the reader leaves between two reads', async () => {
    server.fault = ({ response, body }) => {
      response.writeHead(200, { 'Content-Length': body.length });
      response.write(body.subarray(0, 100_000));
      return true;
    };
    const leave = new AbortController();
    await files.read(FILE, 0, 1000, leave.signal);
    expect(server.seen[0]!.aborted).toBe(false);
    leave.abort();
    await expect.poll(() => server.seen[0]!.aborted, { timeout: 1000 }).toBe(true);
  });

  it('has one connection held at a time, however many shards were looked into', async () => {
    let open = 0;
    for (const i of [0, 1, 2, 3, 4, 5, 6, 7]) server.files.set(`shard-${i}`, data);
    server.fault = ({ response, body }) => {
      open++;
      response.on('close', () => open--);
      response.writeHead(200, { 'Content-Length': body.length });
      response.write(body.subarray(0, 100_000));
      return true;
    };
    for (const i of [0, 1, 2, 3, 4, 5, 6, 7]) await files.read(`shard-${i}`, 0, 8);
    await expect.poll(() => open, { timeout: 1000 }).toBe(1);
  });

  it('may cut the connection', async () => {
    let cuts = 0;
    server.fault = ({ response, body }) => {
      if (cuts++ > 1) return false;
      response.writeHead(200, { 'Content-Length': body.length });
      response.write(body.subarray(0, 1_500_000), () => response.destroy());
      return true;
    };
    await readsRight();
    expect(cuts).toBeGreaterThan(2);
  });
});

describe('faults', () => {
  it.each([408, 429, 500, 502, 503])('%i is tried again', async (status) => {
    server.fault = ({ response, earlier }) => {
      if (earlier > 0) return false;
      response.writeHead(status, { 'Retry-After': '0' }).end('no');
      return true;
    };
    expect(await files.size(FILE)).toBe(SIZE);
    await readsRight();
    expect(await files.readAll('config.json', 100)).not.toBeNull();
  });

  it('a server that stays broken becomes a network error that names the file', async () => {
    server.fault = ({ response }) => (response.writeHead(500).end(), true);
    await expect(files.read(FILE, 0, 8)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining(FILE) as string,
    });
    expect(server.seen.length).toBe(retry.attempts);
  });

  it('401 is not tried again', async () => {
    server.fault = ({ response }) => (response.writeHead(401).end(), true);
    await expect(files.read(FILE, 0, 8)).rejects.toMatchObject({ code: 'network' });
    expect(server.seen.length).toBe(1);
  });

  it('no server at all is a network error', async () => {
    await server.close();
    await expect(files.read(FILE, 0, 8)).rejects.toMatchObject({ code: 'network' });
  });

  it('a cut connection goes on where it broke off', async () => {
    server.fault = ({ request, response, body }) => {
      const [start, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      if (end - start < 200_000) return false;
      response.writeHead(206, { 'Content-Length': end - start + 1 });
      response.write(body.subarray(start, start + 200_000), () => setTimeout(() => response.destroy(), 10));
      return true;
    };
    expect(same(await files.read(FILE, 0, 1_500_000), 0, 1_500_000)).toBe(true);
    const starts = server.seen.map(({ range }) => Number(/(\d+)-/.exec(range!)![1]));
    expect(starts.length).toBeGreaterThan(3);
    // Each attempt begins after the last, so nothing that came is fetched again.
    starts.slice(1).forEach((start, i) => expect(start).toBeGreaterThan(starts[i]!));
  });

  it('416 inside the file falls back to the whole file', async () => {
    server.fault = ({ request, response }) => request.headers.range !== undefined && (response.writeHead(416).end(), true);
    await readsRight();
  });

  it('a server that stops doing ranges midway never mixes up bytes', async () => {
    await files.read(FILE, 0, 8);
    server.ranges = false;
    const parts = await Promise.allSettled([files.read(FILE, 8, 1000), files.read(FILE, 1000, 90_000)]);
    for (const part of parts) expect(part).toMatchObject({ status: 'rejected', reason: { code: 'network' } });
  });

  it.each([
    ['too long', 100],
    ['too short', -100],
  ])('a Content-Length that is %s does not change the bytes', async (_, error) => {
    server.fault = ({ request, response, body }) => {
      const range = /(\d+)-(\d+)/
        .exec(request.headers.range ?? '')
        ?.slice(1)
        .map(Number);
      if (!range || range[1]! - range[0]! < 5000) return false;
      const part = body.subarray(range[0]!, range[1]! + 1);
      const length = part.length + error;
      // By hand: Node itself would refuse to send such an answer.
      response.socket!.write(`HTTP/1.1 206 Partial\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`);
      response.socket!.end(part.subarray(0, length));
      return true;
    };
    await readsRight();
  });

  it('another part than asked for is refused', async () => {
    server.fault = ({ response, body }) => {
      response.writeHead(206, { 'Content-Range': `bytes 0-99/${SIZE}`, 'Content-Length': 100 }).end(body.subarray(0, 100));
      return true;
    };
    await expect(files.read(FILE, 500, 600)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('more than asked for is refused without taking it in', async () => {
    server.fault = ({ response, body }) => (response.writeHead(206).end(body), true);
    await expect(files.read(FILE, 0, 100)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('a file that changes on the way is refused', async () => {
    await files.read(FILE, 0, 8);
    server.files.set(
      FILE,
      data.map((byte) => byte ^ 1),
    );
    await expect(files.read(FILE, 8, 100)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('a file that changes on the way is refused by its date and its length too', async () => {
    server.etag = () => '';
    server.lastModified = new Date(1e12).toUTCString();
    await files.read(FILE, 0, 8);
    server.lastModified = new Date(2e12).toUTCString();
    await expect(files.read(FILE, 8, 100)).rejects.toMatchObject({ code: 'corrupt-file' });

    server.lastModified = null;
    const longer = httpFiles(server.url, { retry });
    expect(await longer.size(FILE)).toBe(SIZE);
    server.files.set(FILE, new Uint8Array(SIZE + 1));
    await expect(longer.read(FILE, 8, 100)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('a page in place of a missing file is a missing file', async () => {
    server.files.set('tokenizer.json', new TextEncoder().encode('<!doctype html>'));
    server.fault = ({ response, body }) => (response.writeHead(200, { 'Content-Type': 'text/html' }).end(body), true);
    expect(await files.readAll('tokenizer.json', 100)).toBeNull();
    expect(await files.size('tokenizer.json')).toBeNull();
  });

  it('a server without HEAD still tells the size', async () => {
    server.fault = ({ request, response }) => request.method === 'HEAD' && (response.writeHead(405).end(), true);
    expect(await files.size(FILE)).toBe(SIZE);
    server.ranges = false;
    expect(await httpFiles(server.url, { retry }).size(FILE)).toBe(SIZE);
  });

  it('silence counts as a lost connection', async () => {
    server.fault = ({ response, body, earlier }) => {
      if (earlier > 0) return false;
      response.writeHead(206, { 'Content-Length': 1000 });
      response.write(body.subarray(0, 10));
      return true;
    };
    expect(same(await files.read(FILE, 0, 1000), 0, 1000)).toBe(true);
    await expect.poll(() => server.seen[0]!.aborted, { timeout: 1000 }).toBe(true);
  });
});

describe('cancelling', () => {
  const patient = { attempts: 10, baseMs: 5000, stallMs: 20_000 };

  async function latencyOf(start: (signal: AbortSignal) => Promise<unknown>, afterMs: number): Promise<number> {
    const controller = new AbortController();
    const work = start(controller.signal).then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const before = performance.now();
    controller.abort();
    expect(await work).toBe('cancelled');
    return performance.now() - before;
  }

  it('ends waiting for an answer, a body, a pause and a turn within 100 ms, and the request with it', async () => {
    files = httpFiles(server.url, { retry: patient });
    server.fault = () => true;
    expect(await latencyOf((signal) => files.read(FILE, 0, 1000, signal), 60)).toBeLessThan(100);

    server.fault = ({ response, body }) => {
      response.writeHead(206, { 'Content-Length': 1000 });
      response.write(body.subarray(0, 10));
      return true;
    };
    expect(await latencyOf((signal) => files.read(FILE, 0, 1000, signal), 60)).toBeLessThan(100);
    expect(await latencyOf((signal) => files.readAll('config.json', 1000, signal), 60)).toBeLessThan(100);

    server.fault = ({ response }) => (response.writeHead(500).end(), true);
    expect(await latencyOf((signal) => files.read(FILE, 0, 1000, signal), 60)).toBeLessThan(100);

    files = httpFiles(server.url, { retry: patient });
    server.fault = () => true;
    const first = new AbortController();
    const blocked = files.read(FILE, 0, 8, first.signal).catch(() => undefined);
    expect(await latencyOf((signal) => files.read(FILE, 8, 1000, signal), 60)).toBeLessThan(100);
    first.abort();
    await blocked;
  });

  it('closes every request at the server within 100 ms, and none follows', async () => {
    files = httpFiles(server.url, { retry: patient });
    await files.read(FILE, 0, 8);
    server.fault = ({ response, body }) => {
      response.writeHead(206, { 'Content-Length': 100_000 });
      response.write(body.subarray(0, 10));
      return true;
    };
    const stop = new AbortController();
    const reads = [0, 1, 2, 3].map((i) => files.read(FILE, i * 100_000, (i + 1) * 100_000, stop.signal));
    const settled = Promise.allSettled(reads);
    const underWay = () => server.seen.filter(({ closedMs }) => closedMs === null).length;
    await expect.poll(underWay).toBe(4);
    const cancelledMs = performance.now();
    stop.abort();
    for (const { status } of await settled) expect(status).toBe('rejected');
    await expect.poll(underWay, { interval: 5 }).toBe(0);
    for (const { closedMs } of server.seen) expect(closedMs! - cancelledMs).toBeLessThan(100);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.seen.length).toBe(5);
  });

  it('before the start asks for nothing', async () => {
    await expect(files.read(FILE, 0, 8, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    await expect(files.readAll('config.json', 8, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    expect(server.seen).toEqual([]);
  });
});

describe('pauses', () => {
  it('double, with jitter, within bounds, and honour Retry-After', () => {
    const policy = { attempts: 5, baseMs: 100, stallMs: 1 };
    expect([1, 2, 3].map((n) => pauseMs(n, policy, null, () => 0.5))).toEqual([100, 200, 400]);
    expect(pauseMs(1, policy, 3000, () => 0)).toBe(3000);
    expect(pauseMs(30, policy, null)).toBe(20_000);
    expect(retryAfterMs('2')).toBe(2000);
    expect(retryAfterMs(new Date(5000).toUTCString(), 2000)).toBe(3000);
    expect(retryAfterMs('soon')).toBeNull();
  });
});

describe('a stream', () => {
  const spans = (from: number, end: number, step = 200_000) => {
    const list: { start: number; end: number }[] = [];
    for (let start = from; start < end; start += step) list.push({ start, end: Math.min(end, start + step) });
    return list;
  };

  /** Streams and compares; what is lent is looked at before the next is asked for. */
  async function streamsRight(list: { start: number; end: number }[], of = files, signal?: AbortSignal): Promise<void> {
    let index = 0;
    for await (const bytes of of.stream!(FILE, list, signal)) {
      const { start, end } = list[index++]!;
      expect(bytes.length).toBe(end - start);
      expect(same(bytes, start, end)).toBe(true);
    }
    expect(index).toBe(list.length);
  }

  const ranges = () =>
    server.seen.map(({ range }) =>
      /(\d+)-(\d+)/
        .exec(range ?? '')
        ?.slice(1)
        .map(Number),
    );

  it('is one request, over gaps that are not worth another', async () => {
    await files.read(FILE, 0, 8);
    server.seen.length = 0;
    await streamsRight([...spans(8, 1_000_000), ...spans(1_300_000, SIZE - 5)]);
    expect(ranges()).toEqual([[8, SIZE - 6]]);
  });

  it('leaves out what is long and not wanted', async () => {
    await files.read(FILE, 0, 8);
    server.seen.length = 0;
    await streamsRight([...spans(100, 400_000), ...spans(2_000_000, SIZE)]);
    expect(ranges()).toEqual([
      [100, 399_999],
      [2_000_000, SIZE - 1],
    ]);
  });

  it('finds out about Range by itself, and reads a server without it in one pass', async () => {
    await streamsRight(spans(0, SIZE));
    expect(server.seen.length).toBe(2);
    server.ranges = false;
    server.seen.length = 0;
    await streamsRight([...spans(50, 900_000), ...spans(2_100_000, SIZE)], httpFiles(server.url, { retry }));
    expect(server.seen.length).toBe(1);
  });

  it('of several files on a server without Range is one pass a file, one after the other', async () => {
    server.ranges = false;
    const names = ['shard-0', 'shard-1', 'shard-2'];
    for (const name of names) server.files.set(name, data);
    for (const name of names) await files.read(name, 0, 8);
    server.seen.length = 0;
    const orders = await Promise.all(
      names.map(async (name) => {
        let at = 0;
        for await (const bytes of files.stream!(name, spans(0, SIZE))) {
          expect(same(bytes, at, at + bytes.length)).toBe(true);
          at += bytes.length;
        }
        return at;
      }),
    );
    expect(orders).toEqual([SIZE, SIZE, SIZE]);
    expect(server.seen.length).toBe(3);
  });

  it('goes on from the byte where the connection was cut, inside a span', async () => {
    await files.read(FILE, 0, 8);
    server.seen.length = 0;
    server.fault = ({ request, response, body }) => {
      const [start, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      if (end - start < 70_000) return false;
      response.writeHead(206, { 'Content-Length': end - start + 1 });
      response.write(body.subarray(start, start + 70_000), () => setTimeout(() => response.destroy(), 10));
      return true;
    };
    await streamsRight(spans(8, 600_000));
    const starts = ranges().map((range) => range![0]!);
    // As many cuts as there are in 600 000 bytes, more than anybody's patience without progress.
    expect(starts).toEqual(Array.from({ length: 9 }, (_, i) => 8 + i * 70_000));
  });

  it('that comes to a halt is asked for again; one that stays silent is a network error', async () => {
    await files.read(FILE, 0, 8);
    const halt = (onlyFirst: boolean) => {
      let halted = 0;
      server.fault = ({ request, response, body }) => {
        if (onlyFirst && halted++ > 0) return false;
        const [start, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
        response.writeHead(206, { 'Content-Length': end - start + 1 });
        if (onlyFirst) response.write(body.subarray(start, start + 1000));
        else response.flushHeaders();
        return true;
      };
    };
    halt(true);
    await streamsRight(spans(8, 500_000));
    halt(false);
    await expect(streamsRight(spans(8, 500_000))).rejects.toMatchObject({ code: 'network', message: expect.stringContaining(FILE) });
  });

  it('of a file that changes between two requests, of another part, and of too many bytes is refused', async () => {
    await files.read(FILE, 0, 8);
    const changing = (async () => {
      for await (const _ of files.stream!(FILE, [...spans(8, 400_000), ...spans(2_000_000, SIZE)])) {
        server.files.set(
          FILE,
          data.map((byte) => byte ^ 1),
        );
      }
    })();
    await expect(changing).rejects.toMatchObject({ code: 'corrupt-file' });
    server.files.set(FILE, data);

    files = httpFiles(server.url, { retry });
    await files.read(FILE, 0, 8);
    server.fault = ({ response, body }) => {
      response.writeHead(206, { 'Content-Range': `bytes 0-99/${SIZE}`, 'Content-Length': 100 }).end(body.subarray(0, 100));
      return true;
    };
    await expect(streamsRight([{ start: 500, end: 600 }])).rejects.toMatchObject({ code: 'corrupt-file' });
    server.fault = ({ response, body }) => (response.writeHead(206).end(body), true);
    await expect(streamsRight(spans(0, 1000, 500))).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('goes on after 503, not after 404, and never mixes up bytes when Range stops midway', async () => {
    await files.read(FILE, 0, 8);
    server.fault = ({ response, earlier }) => earlier < 3 && (response.writeHead(503, { 'Retry-After': '0' }).end(), true);
    await streamsRight(spans(8, SIZE));
    server.fault = ({ response }) => (response.writeHead(404).end(), true);
    await expect(streamsRight(spans(8, SIZE))).rejects.toMatchObject({ code: 'not-found' });
    server.fault = null;
    server.ranges = false;
    await expect(streamsRight(spans(8, SIZE))).rejects.toMatchObject({ code: 'network' });
  });

  it('is refused for spans that are too long or leave the folder', async () => {
    await expect(files.stream!(FILE, [{ start: 0, end: MAX_READ_BYTES + 1 }]).next()).rejects.toMatchObject({ code: 'internal' });
    await expect(files.stream!('../x', [{ start: 0, end: 1 }]).next()).rejects.toMatchObject({ code: 'bad-model' });
    expect(server.seen).toEqual([]);
  });

  it('closes its request within 100 ms when it is cancelled or left, and sends no more', async () => {
    files = httpFiles(server.url, { retry: { attempts: 10, baseMs: 20, stallMs: 20_000 } });
    await files.read(FILE, 0, 8);
    server.fault = ({ request, response, body }) => {
      const [start, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      response.writeHead(206, { 'Content-Length': end - start + 1 });
      response.write(body.subarray(start, start + 250_000));
      return true;
    };
    for (const how of ['cancelled', 'left']) {
      server.seen.length = 0;
      const stop = new AbortController();
      const stream = files.stream!(FILE, spans(8, SIZE), stop.signal);
      expect(same((await stream.next()).value!, 8, 200_008)).toBe(true);
      const second = how === 'cancelled' ? stream.next().catch((error: { code?: string }) => error.code) : null;
      await expect.poll(() => server.seen.length).toBe(1);
      const before = performance.now();
      if (second) {
        stop.abort();
        expect(await second).toBe('cancelled');
      } else await stream.return();
      expect(performance.now() - before).toBeLessThan(100);
      await expect.poll(() => server.seen[0]!.closedMs, { interval: 5 }).not.toBeNull();
      expect(server.seen[0]!.closedMs! - before).toBeLessThan(100);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(server.seen.length).toBe(1);
    }
  });
});
