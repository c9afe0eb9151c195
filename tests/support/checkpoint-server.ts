import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** A request for a part of the model, in the machine's time (`Date.now`). */
export interface ModelRequest {
  startedMs: number;
  /** When the answer ended, or the browser let go of it; null while it is under way. */
  closedMs: number | null;
}

export interface CheckpointServer {
  url: string;
  /** Bytes of weights that were asked for since the start, by file name. */
  asked: Map<string, number>;
  /** GET requests for weights. */
  requests: ModelRequest[];
  /** How long each answer with weights is kept waiting, so that something can happen meanwhile. */
  delayMs: number;
  close(): Promise<void>;
}

/**
 * The built test harness, or another built page, and a model folder of any size under `/checkpoint/`, with Range and ETag as a hub has
 * them: one origin, as the page's policy lets it fetch from no other without https.
 *
 * @param others more folders, by the first part of their paths
 */
export async function serveCheckpoint(
  folder: string,
  built = '.cache/harness/',
  others: Record<string, string> = {},
): Promise<CheckpointServer> {
  const folders: Record<string, string> = { ...others, checkpoint: folder };
  const harness = fileURLToPath(new URL(`../../${built}`, import.meta.url));
  const asked = new Map<string, number>();
  const requests: ModelRequest[] = [];
  const state = { asked, requests, delayMs: 0 };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname)).replace(/^\/+/, '');
    const isModel = path.startsWith('checkpoint/');
    const [first = '', ...rest] = path.split('/');
    const file = folders[first] ? join(folders[first], ...rest) : join(harness, path || 'index.html');
    const found = path.startsWith('..') ? undefined : statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const headers = {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream',
      ETag: `"${found.size}-${found.mtimeMs}"`,
      'Cache-Control': 'no-store',
    };
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range ? Math.min(Number(range[2]) + 1, found.size) : found.size;
    const ranged = range ? { 'Content-Range': `bytes ${start}-${end - 1}/${found.size}` } : {};
    response.writeHead(range ? 206 : 200, { ...headers, ...ranged, 'Content-Length': end - start });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const seen: ModelRequest = { startedMs: Date.now(), closedMs: null };
    const isWeights = isModel && path.endsWith('.safetensors');
    if (isModel) asked.set(path, (asked.get(path) ?? 0) + end - start);
    if (isWeights) requests.push(seen);
    const body = createReadStream(file, { start, end: end - 1, highWaterMark: 2 ** 18 });
    const timer = setTimeout(() => body.pipe(response), isWeights ? state.delayMs : 0);
    response.on('close', () => {
      seen.closedMs = Date.now();
      clearTimeout(timer);
      body.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return Object.assign(state, {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  });
}
