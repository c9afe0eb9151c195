import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page, Route } from '@playwright/test';
import { goldenFolder } from '../goldens/golden-files.ts';

/** Requests that a fake hub has answered, for counting. */
export interface FakeHub {
  /** Bytes of weights that were given out, the headers' apart. */
  weightBytes: number;
  /** Every address and the token that came with it. */
  seen: { url: string; token: string | null }[];
  /** While set, every request fails as without a network. */
  offline: boolean;
  /** While set, weights beyond their first half wait for it. */
  hold: Promise<void> | null;
}

type Files = Map<string, Buffer>;

const HUB = 'https://huggingface.co';
/** The safetensors header and what is read along with it. */
const HEADER_BYTES = 64 * 1024;
const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Expose-Headers': 'ETag, Link, Content-Range, Accept-Ranges, X-Linked-Etag, X-Error-Code',
};

/** The files of a golden checkpoint that make a model. */
export async function goldenModel(name: string): Promise<Files> {
  const folder = goldenFolder(name);
  const names = (await readdir(folder)).filter((file) =>
    /^(config|generation_config|preprocessor_config|chat_template|tokenizer.*)\.json$|^model.*\.safetensors/.test(file),
  );
  return new Map(await Promise.all(names.map(async (path) => [path, await readFile(join(folder, path))] as const)));
}

/** The decoder of a golden checkpoint as a text model of its own. */
export async function goldenTextModel(name: string): Promise<Files> {
  const files = await goldenModel(name);
  const { llm_config: config } = JSON.parse(files.get('config.json')!.toString()) as { llm_config: Record<string, unknown> };
  const whole = files.get('model.safetensors')!;
  const start = 8 + Number(whole.readBigUInt64LE());
  const header = JSON.parse(whole.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
  const parts: Buffer[] = [];
  const kept: typeof header = {};
  let at = 0;
  for (const [tensor, entry] of Object.entries(header)) {
    const [, inner] = /^language_model\.(.+)$/.exec(tensor) ?? [];
    if (!inner) continue;
    const [from, to] = entry.data_offsets;
    parts.push(whole.subarray(start + from, start + to));
    kept[inner] = { ...entry, data_offsets: [at, (at += to - from)] };
  }
  const json = Buffer.from(JSON.stringify(kept));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  files.set('model.safetensors', Buffer.concat([length, json, ...parts]));
  return files.set('config.json', Buffer.from(JSON.stringify({ model_type: 'qwen2', ...config })));
}

/**
 * Answers what the page asks of huggingface.co as it does: the search, the list of a repository's files, and the files
 * with Range. Repositories named `gated/…` want the token `hf_secret`.
 */
export async function fakeHub(page: Page, repositories: Record<string, Files>): Promise<FakeHub> {
  const hub: FakeHub = { weightBytes: 0, seen: [], offline: false, hold: null };
  await page.route(`${HUB}/**`, (route) => answer(route));
  return hub;

  async function answer(route: Route): Promise<void> {
    const request = route.request();
    const url = new URL(request.url());
    const token = request.headers()['authorization'] ?? null;
    hub.seen.push({ url: request.url(), token });
    if (hub.offline) return route.abort('internetdisconnected');
    if (request.method() === 'OPTIONS') return route.fulfill({ status: 204, headers: CORS });
    if (url.pathname === '/api/models') return json(route, search(url.searchParams.get('search') ?? ''));
    const [, repository, path] = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(?:tree\/main|resolve\/main\/(.+))$/.exec(url.pathname) ?? [];
    const files = repositories[repository ?? ''];
    if (!files) return route.fulfill({ status: 404, headers: CORS });
    if (path === undefined)
      return json(
        route,
        [...files].map(([name, bytes]) => listed(name, bytes)),
      );
    if (repository!.startsWith('gated/') && token !== 'Bearer hf_secret') {
      return route.fulfill({ status: 401, headers: { ...CORS, 'X-Error-Code': 'GatedRepo' } });
    }
    return file(route, path, files.get(path));
  }

  function file(route: Route, path: string, bytes: Buffer | undefined): Promise<void> {
    return fulfilFile(route, bytes, async (start, end) => {
      if (!path.endsWith('.safetensors')) return;
      if (hub.hold && end > bytes!.length / 2) await hub.hold;
      hub.weightBytes += Math.max(0, end - Math.max(start, HEADER_BYTES));
    });
  }

  function search(text: string): unknown[] {
    return Object.keys(repositories)
      .filter((id) => id.toLowerCase().includes(text.toLowerCase()))
      .map((id) => ({
        id,
        downloads: 1234,
        likes: 5,
        gated: id.startsWith('gated/') ? 'auto' : false,
        safetensors: { parameters: { F32: 300_000 }, total: 300_000 },
        config: { model_type: 'nvlm' },
      }));
  }
}

/** Serves a folder at an address on the web, with Range and ETag; 404 for what it lacks. */
export async function fakeFolder(page: Page, address: string, files: Files): Promise<void> {
  await page.route(`${address}**`, (route) => {
    if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 204, headers: CORS });
    return fulfilFile(route, files.get(decodeURIComponent(route.request().url().slice(address.length))));
  });
}

async function fulfilFile(
  route: Route,
  bytes: Buffer | undefined,
  before: (start: number, end: number) => Promise<void> = async () => undefined,
): Promise<void> {
  if (!bytes) return route.fulfill({ status: 404, headers: CORS });
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(route.request().headers()['range'] ?? '') ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined ? bytes.length : Math.min(Number(to) + 1, bytes.length);
  const headers = { ...CORS, ETag: `"${sha(bytes)}"`, 'Accept-Ranges': 'bytes' };
  if (route.request().method() === 'HEAD') {
    return route.fulfill({ status: 200, headers: { ...headers, 'Content-Length': String(bytes.length) } });
  }
  await before(start, end);
  const range: Record<string, string> = from === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` };
  await route
    .fulfill({ status: from === undefined ? 200 : 206, headers: { ...headers, ...range }, body: bytes.subarray(start, end) })
    .catch(() => undefined);
}

function json(route: Route, value: unknown): Promise<void> {
  return route.fulfill({ status: 200, headers: CORS, contentType: 'application/json', body: JSON.stringify(value) });
}

function listed(path: string, bytes: Buffer) {
  return { type: 'file', path, size: bytes.length, oid: '0'.repeat(40), lfs: { oid: sha(bytes), size: bytes.length } };
}

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
