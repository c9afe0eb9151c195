import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeOpfs, rootOf } from '../../tests/fixtures/weights/fake-opfs.ts';
import { smallModel } from '../../tests/fixtures/weights/small-model.ts';
import { checkedFiles } from './checked-files.ts';
import { httpFiles } from './http-files.ts';
import { hubId, parseHubAddress, parseHubId } from './hub-address.ts';
import { hubFetch, openHub } from './hub.ts';
import { openModelFolder } from './model-folder.ts';
import type { ModelFiles } from './source.ts';
import { createLock } from '../files/blobs/locks.ts';
import { opfsStore } from '../files/blobs/opfs-store.ts';
import { listedFiles } from './listed-files.ts';
import { streamTensors } from './stream.ts';

const MODEL = { repository: 'org/small', revision: 'refs/pr/3' };
const SHARD = 'model-00002-of-00002.safetensors';
const retry = { attempts: 2, baseMs: 5, stallMs: 500 };
const set = smallModel();
const hash = (kind: string, ...parts: (string | Uint8Array)[]) =>
  parts.reduce((sum, part) => sum.update(part), createHash(kind)).digest('hex');

interface Listed {
  type: string;
  oid: string;
  size: number;
  path: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

/** As the hub lists it: weights are pointers in git, and stand there with their own size and sha256. */
function listed(path: string, bytes: Uint8Array): Listed {
  if (!path.endsWith('.safetensors')) {
    return { type: 'file', oid: hash('sha1', `blob ${bytes.length}\0`, bytes), size: bytes.length, path };
  }
  const lfs = { oid: hash('sha256', bytes), size: bytes.length, pointerSize: 134 };
  return { type: 'file', oid: '0'.repeat(40), size: 134, path, lfs };
}

interface Seen {
  host: 'hub' | 'cdn';
  url: string;
  authorization: string | undefined;
}

let hub: Server;
let cdn: Server;
let seen: Seen[];
let tree: unknown;
let pageSize: number;
let files: Map<string, Uint8Array>;
/** How often an address on the second host may be used. */
let uses: number;
let answerList: ((request: IncomingMessage, response: ServerResponse) => boolean) | null;

const address = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const listen = (handle: (request: IncomingMessage, response: ServerResponse) => void) =>
  new Promise<Server>((resolve) => {
    const server: Server = createServer(handle).listen(0, '127.0.0.1', () => resolve(server));
  });

function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
  const [from, to] =
    /(\d+)-(\d+)/
      .exec(request.headers.range ?? '')
      ?.slice(1)
      .map(Number) ?? [];
  if (from === undefined) return void response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
  const part = bytes.subarray(from, to! + 1);
  response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/${bytes.length}`, 'Content-Length': part.length });
  response.end(part);
}

beforeEach(async () => {
  seen = [];
  pageSize = 1000;
  uses = Infinity;
  answerList = null;
  files = new Map(Object.entries(set));
  tree = [
    { type: 'directory', oid: '1'.repeat(40), size: 0, path: 'onnx' },
    ...Object.entries(set).map(([path, bytes]) => listed(path, bytes)),
  ];
  const note = (host: Seen['host'], request: IncomingMessage) =>
    seen.push({ host, url: request.url!, authorization: request.headers.authorization });
  const tickets = new Map<string, number>();
  cdn = await listen((request, response) => {
    note('cdn', request);
    const url = new URL(request.url!, 'http://x');
    const ticket = url.searchParams.get('ticket')!;
    const used = (tickets.get(ticket) ?? 0) + 1;
    tickets.set(ticket, used);
    if (used > uses) return void response.writeHead(403).end('expired');
    send(request, response, files.get(decodeURIComponent(url.pathname.slice(1)))!);
  });
  let ticket = 0;
  hub = await listen((request, response) => {
    note('hub', request);
    const url = new URL(request.url!, 'http://x');
    if (url.pathname === '/api/models/org/small/tree/refs%2Fpr%2F3') {
      if (answerList?.(request, response)) return;
      const at = Number(url.searchParams.get('cursor') ?? 0);
      const more = Array.isArray(tree) && at + pageSize < tree.length;
      const next = `${address(hub)}${url.pathname}?recursive=1&cursor=${at + pageSize}`;
      response.writeHead(200, more ? { Link: `<${next}>; rel="next"` } : {});
      response.end(JSON.stringify(Array.isArray(tree) ? tree.slice(at, at + pageSize) : tree));
      return;
    }
    const path = decodeURIComponent(/^\/org\/small\/resolve\/refs%2Fpr%2F3\/(.+)$/.exec(url.pathname)?.[1] ?? '');
    const bytes = files.get(path);
    if (!bytes) return void response.writeHead(404).end();
    if (!path.endsWith('.safetensors')) return send(request, response, bytes);
    response.writeHead(302, { Location: `${address(cdn)}/${encodeURIComponent(path)}?ticket=${ticket++}` }).end();
  });
});
afterEach(async () => {
  for (const server of [hub, cdn]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const open = (token?: string) => openHub(MODEL, { endpoint: address(hub), token, retry });

async function load(source: ModelFiles): Promise<void> {
  const folder = await openModelFolder(source);
  let bytes = 0;
  for await (const { entry, offset, bytes: piece } of streamTensors(folder, folder.tensors.keys(), { chunkBytes: 200_000 })) {
    const at = entry.start + offset;
    expect(Buffer.compare(piece, set[entry.file]!.subarray(at, at + piece.length))).toBe(0);
    bytes += piece.length;
  }
  expect(bytes).toBe(folder.tensorBytes);
}

describe('ids and addresses', () => {
  it.each([
    ['org/name', 'org/name', 'main'],
    ['org/name@v1.0', 'org/name', 'v1.0'],
    ['org/name@refs/pr/3', 'org/name', 'refs/pr/3'],
  ])('%s', (text, repository, revision) => {
    expect(parseHubId(text)).toEqual({ repository, revision });
    expect(hubId({ repository, revision })).toBe(text);
  });

  it.each(['name', 'a/b/c', '../b', 'a/..', 'org/name@', 'org/name@../x', 'org/name@a//b', 'org/na me', 'org/name@a?b'])(
    'refuses %s',
    (text) => expect(parseHubId(text)).toBeNull(),
  );

  it('knows the pages of models, and nothing else', () => {
    const model = { repository: 'org/name', revision: 'main' };
    expect(parseHubAddress('https://huggingface.co/org/name')).toEqual(model);
    expect(parseHubAddress('https://huggingface.co/org/name/resolve/main/')).toEqual(model);
    expect(parseHubAddress('https://huggingface.co/org/name/tree/refs%2Fpr%2F3')?.revision).toBe('refs/pr/3');
    for (const other of ['https://huggingface.co/', 'https://huggingface.co/org/name/tree/%zz', 'https://evil/org/name'])
      expect(parseHubAddress(other)).toBeNull();
  });

  it('an endpoint must be an address', () => {
    expect(() => openHub(MODEL, { endpoint: 'file:///etc' })).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
  });
});

describe('the list of files', () => {
  it('gives sizes and hashes, over several pages', async () => {
    pageSize = 3;
    const manifest = await open().list();
    expect([...manifest.keys()].sort()).toEqual(Object.keys(set).sort());
    expect(manifest.get(SHARD)).toEqual({ path: SHARD, size: set[SHARD]!.length, hash: hash('sha256', set[SHARD]!) });
    expect(manifest.get('config.json')!.hash).toHaveLength(40);
    expect(seen.length).toBe(Math.ceil((Object.keys(set).length + 1) / 3));
  });

  it('leaves out names that could leave the folder and entries without a hash', async () => {
    tree = [...(tree as Listed[]), listed('../../x', set[SHARD]!), { type: 'file', path: 'y', size: 1, oid: 'zz' }, 7, null];
    expect([...(await open().list()).keys()].sort()).toEqual(Object.keys(set).sort());
  });

  it.each([
    ['no array', { error: 'x' }],
    ['empty', []],
    ['of folders alone', [{ type: 'directory', path: 'x', oid: '1', size: 0 }]],
    ['with negative sizes alone', [{ type: 'file', path: 'x', oid: '1'.repeat(40), size: -1 }]],
  ])('that is %s is refused', async (_, answer) => {
    tree = answer;
    await expect(open().list()).rejects.toMatchObject({ code: 'bad-model' });
  });

  it('that has no end, is huge, or goes on elsewhere is refused', async () => {
    answerList = (_, response) => {
      response.writeHead(200, { Link: `<${address(hub)}${seen.at(-1)!.url}>; rel="next"` });
      return (response.end(JSON.stringify(tree)), true);
    };
    await expect(open().list()).rejects.toMatchObject({ code: 'bad-model' });
    expect(seen.length).toBeLessThanOrEqual(10);
    answerList = (_, response) => (response.writeHead(200, { Link: `<${address(cdn)}/x>; rel="next"` }).end('[]'), true);
    await expect(open('hf_secret').list()).rejects.toMatchObject({ code: 'bad-model' });
    expect(seen.filter(({ host }) => host === 'cdn')).toEqual([]);
    answerList = (_, response) => (response.end(`[${' '.repeat(5 * 2 ** 20)}]`), true);
    await expect(open().list()).rejects.toMatchObject({ code: 'bad-model' });
  });

  it.each([
    [404, 'not-found'],
    [401, 'not-found'],
    [403, 'not-found'],
    [400, 'network'],
    [500, 'network'],
  ])('%i is %s, with what to do', async (status, code) => {
    answerList = (_, response) => (response.writeHead(status).end(), true);
    await expect(open().list()).rejects.toMatchObject({ code, fix: expect.stringMatching(/./) as string });
  });

  it('is asked for again after a passing fault, and can be cancelled', async () => {
    answerList = (_, response) => seen.length < 2 && (response.writeHead(429, { 'Retry-After': '0' }).end(), true);
    expect((await open().list()).size).toBe(Object.keys(set).length);
    const stop = new AbortController();
    answerList = () => (setTimeout(() => stop.abort(), 20), true);
    await expect(open().list(stop.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a hub model', () => {
  it('is loaded and checked, each shard through one address of the other host', async () => {
    const { files: remote, list } = open();
    await load(checkedFiles(remote, await list()));
    const redirects = seen.filter(({ host, url }) => host === 'hub' && url.endsWith('.safetensors'));
    const reads = seen.filter(({ host }) => host === 'cdn');
    // A size and a first read a shard ask the hub; everything else goes straight on.
    expect(redirects.length).toBe(4);
    expect(reads.length).toBeGreaterThan(redirects.length);
    // The size of a shard, two reads for its header, one request for all of its tensors.
    expect(reads.filter(({ url }) => url.includes(SHARD)).length).toBe(4);
  });

  it('goes on when such an address expires', async () => {
    uses = 2;
    const { files: remote, list } = open();
    await load(checkedFiles(remote, await list()));
    expect(seen.filter(({ host, url }) => host === 'hub' && url.endsWith('.safetensors')).length).toBeGreaterThan(4);
  });

  it.each([SHARD, 'config.json'])('with a damaged %s is refused', async (path) => {
    const { files: remote, list } = open();
    const bytes = files.get(path)!.slice();
    bytes[bytes.length - 2]! ^= 1;
    files.set(path, bytes);
    await expect(load(checkedFiles(remote, await list()))).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('is kept with its list, and loads without the hub the second time', async () => {
    const store = opfsStore(rootOf(fakeOpfs({ worker: true })), createLock(undefined));
    const first = open();
    await load(await listedFiles(first.files, first.list, store));
    hub.closeAllConnections();
    await new Promise((resolve) => hub.close(resolve));
    seen.length = 0;
    const dead = openHub(MODEL, { endpoint: 'http://127.0.0.1:9', retry });
    await load(await listedFiles(dead.files, dead.list, store));
    expect(seen).toEqual([]);
  });
});

describe('the token', () => {
  it('goes to the hub as a header, and nowhere else', async () => {
    const { files: remote, list } = open('hf_secret');
    const store = opfsStore(rootOf(fakeOpfs({ worker: true })), createLock(undefined));
    await load(await listedFiles(remote, list, store));
    expect(seen.some(({ host }) => host === 'cdn')).toBe(true);
    for (const { host, url, authorization } of seen) {
      expect(authorization).toBe(host === 'hub' ? 'Bearer hf_secret' : undefined);
      expect(url).not.toContain('hf_secret');
    }
    for (const { path } of await store.usage()) {
      expect(path).not.toContain('hf_secret');
      if (!path.endsWith('.json')) continue;
      const blob = (await store.get(path))!;
      expect(new TextDecoder().decode(await blob.read(0, blob.size))).not.toContain('hf_secret');
    }
  });

  it('is not shown to other addresses', async () => {
    const fetch = hubFetch({ endpoint: address(hub), token: 'hf_secret' });
    await httpFiles(address(cdn), { fetch, retry }).readAll('config.json', 10_000);
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it.each(['hf_sec\nret', 'hf_sec ret', 'hf_secr\u00e9t', '\u201chf_secret\u201d'])('%j is refused without being repeated', (token) => {
    const open = () => openHub(MODEL, { endpoint: address(hub), token, retry });
    expect(open).toThrow(expect.objectContaining({ code: 'usage', message: expect.not.stringContaining('sec') as string }) as Error);
  });

  it('may have space around it', async () => {
    await open(' hf_secret\n').list();
    expect(seen[0]!.authorization).toBe('Bearer hf_secret');
  });

  it('is asked for by name where a gated model refuses, and is in no message', async () => {
    answerList = (_, response) => (response.writeHead(401).end(), true);
    await expect(open().list()).rejects.toMatchObject({ fix: expect.stringContaining('HF_TOKEN') as string });
    const error = (await open('hf_secret')
      .list()
      .catch((e: unknown) => e)) as Error & { fix: string };
    expect(error.fix).toContain('org/small');
    expect(`${error.message} ${error.fix} ${error.stack}`).not.toContain('hf_secret');
  });
});
