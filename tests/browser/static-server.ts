import { createReadStream, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.png': 'image/png',
};

/** A request for a file, GET, in the machine's time (`Date.now`). */
export interface SiteRequest {
  path: string;
  /** Of the Range header, where it was answered. */
  span: [start: number, end: number] | null;
  atMs: number;
}

export interface StaticSite {
  url: string;
  seen: SiteRequest[];
  /** Answers what was held, and holds no more. */
  release(): void;
  /** As when the network goes: open connections are cut and new ones refused. */
  stop(): Promise<void>;
}

/**
 * The plainest host: the built site under `basePath`, no header but type and length, no rewrite, and no Range.
 * @param ranges with Range, as most hosts have it
 * @param hold files whose answers wait for `release`
 */
export async function serveSite(basePath: string, { ranges = false, hold = /^$/ } = {}): Promise<StaticSite> {
  const seen: SiteRequest[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const folder = fileURLToPath(new URL('../../dist/', import.meta.url));
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname);
    const inside = path.startsWith(basePath) ? normalize(path.slice(basePath.length)) : '..';
    const file = join(folder, inside === '.' || inside === '' ? 'index.html' : inside);
    const found = inside.startsWith('..') ? undefined : statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = types[extname(file)] ?? 'application/octet-stream';
    const asked = ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') : null;
    const span: SiteRequest['span'] = asked && [Number(asked[1]), Math.min(Number(asked[2] || Infinity) + 1, found.size)];
    if (request.method === 'GET') seen.push({ path: inside, span, atMs: Date.now() });
    const [start, end] = span ?? [0, found.size];
    const ranged = span && { 'Content-Range': `bytes ${start}-${end - 1}/${found.size}` };
    const answer = () => {
      response.writeHead(span ? 206 : 200, { 'Content-Type': type, 'Content-Length': end - start, ...ranged });
      if (request.method === 'HEAD') response.end();
      else createReadStream(file, { start, end: end - 1 }).pipe(response);
    };
    if (hold.test(inside)) void released.then(answer);
    else answer();
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}${basePath}`,
    seen,
    release,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
