import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
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
  /** Bytes of the model that were sent since the start, by file name. */
  sent: Map<string, number>;
  /** GET requests for weights. */
  requests: ModelRequest[];
  /** How long each answer with weights is kept waiting, and again when half of it is sent, so that something can happen meanwhile. */
  delayMs: number;
  /**
   * Waited after every 256 KB of weights: a network slower than the page, so that what was sent was also received. Between two processes of
   * one machine some 10 MB lie on the way else, and are lost with a tab that dies.
   */
  paceMs: number;
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
  const sent = new Map<string, number>();
  const requests: ModelRequest[] = [];
  const state = { sent, requests, delayMs: 0, paceMs: 0 };
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
    if (isWeights) requests.push(seen);
    const body = createReadStream(file, { start, end: end - 1, highWaterMark: Math.min(2 ** 18, Math.ceil((end - start) / 4)) });
    const gone = new AbortController();
    response.on('close', () => {
      seen.closedMs = Date.now();
      gone.abort();
      body.destroy();
    });
    const send = async () => {
      const { signal } = gone;
      const delayMs = isWeights ? state.delayMs : 0;
      let heldAt = 0;
      let count = 0;
      for await (const part of body as AsyncIterable<Buffer>) {
        if (delayMs > 0 && count >= heldAt) {
          heldAt = count === 0 ? (end - start) / 2 : Infinity;
          await sleep(delayMs, null, { signal });
        }
        count += part.length;
        if (isModel) sent.set(path, (sent.get(path) ?? 0) + part.length);
        if (!response.write(part)) await once(response, 'drain', { signal });
        if (isWeights && state.paceMs > 0) await sleep(state.paceMs, null, { signal });
      }
      response.end();
    };
    // The browser let go of it.
    send().catch((error: unknown) => gone.signal.aborted || response.destroy(error as Error));
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
