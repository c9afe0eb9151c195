/** How much of a large model is in memory while it passes through: chunks, never shards. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { httpFiles } from './http-files.ts';
import { openModelFolder } from './model-folder.ts';
import { memoryStore } from '../files/blobs/memory-store.ts';
import { listedFiles } from './listed-files.ts';
import { streamTensors } from './stream.ts';

const MB = 2 ** 20;
const TENSORS = 4;
const TENSOR_BYTES = 64 * MB;
const SHARD = 'model.safetensors';

function header(): Buffer {
  const tensors = Array.from({ length: TENSORS }, (_, i) => [
    `t${i}`,
    { dtype: 'F16', shape: [TENSOR_BYTES / 4096, 2048], data_offsets: [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES] },
  ]);
  const json = Buffer.from(JSON.stringify(Object.fromEntries(tensors)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

/** A server that makes the bytes of its weights as they are asked for. */
function generatingFetch(files: Record<string, Buffer>, open: { now: number; most: number; all: number }): typeof fetch {
  return async (input, init) => {
    const path = new URL(input instanceof Request ? input.url : input).pathname.slice(1);
    const start = files[path];
    if (!start) return new Response(null, { status: 404 });
    const size = path === SHARD ? start.length + TENSORS * TENSOR_BYTES : start.length;
    const [from, to] = /(\d+)-(\d+)/
      .exec(new Headers(init?.headers).get('Range') ?? `0-${size - 1}`)!
      .slice(1)
      .map(Number);
    const length = { 'Content-Length': String(to! - from! + 1), ETag: '"1"' };
    if (init?.method === 'HEAD') return new Response(null, { headers: length });
    let at = from!;
    open.most = Math.max(open.most, ++open.now);
    if (to! - from! > MB) open.all++;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at > to!) {
          open.now--;
          return controller.close();
        }
        const piece = new Uint8Array(Math.min(64 * 1024, to! + 1 - at));
        if (at < start.length) piece.set(start.subarray(at, at + piece.length));
        at += piece.length;
        controller.enqueue(piece);
      },
    });
    const ranged = new Headers(init?.headers).has('Range');
    return new Response(body, { status: ranged ? 206 : 200, headers: length });
  };
}

it('256 MB pass through one request and less than 60 MB of memory, checked on the way', async () => {
  const config = Buffer.from('{"model_type":"nvlm"}');
  const files = { [SHARD]: header(), 'config.json': config };
  const hash = createHash('sha256').update(files[SHARD]);
  for (let i = 0; i < TENSORS * (TENSOR_BYTES / MB); i++) hash.update(new Uint8Array(MB));
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const manifest = new Map([
    [SHARD, { path: SHARD, size: files[SHARD].length + TENSORS * TENSOR_BYTES, hash: hash.digest('hex') }],
    ['config.json', { path: 'config.json', size: config.length, hash: sha256(config) }],
  ]);
  const open = { now: 0, most: 0, all: 0 };
  const remote = httpFiles('http://weights.invalid/', { fetch: generatingFetch(files, open) });
  const folder = await openModelFolder(await listedFiles(remote, async () => manifest, memoryStore(0)));
  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const baseline = held();
  let peak = 0;
  let bytes = 0;
  for await (const piece of streamTensors(folder, folder.tensors.keys())) {
    bytes += piece.bytes.length;
    peak = Math.max(peak, held() - baseline);
  }
  expect(bytes).toBe(TENSORS * TENSOR_BYTES);
  expect(open.most).toBe(1);
  expect(open.all).toBe(1);
  expect(peak).toBeLessThan(60 * MB);
});
