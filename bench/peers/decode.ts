/**
 * SmolLM2-135M, decoding and prefill on wasm with one thread: nvlm beside onnxruntime-web in the same process.
 *
 * `npx tsx bench/peers/decode.ts [RUNS] [BITS] [KIND] [ROWS]` after `npm ci --prefix bench/peers`: BITS of nvlm's weights (8, 4 or 16,
 * as the file has them), KIND of the peer's (f32, int8, nbits8 or nbits4), ROWS of those measured, by a part of their names.
 */
import { nodePlatform } from '../../src/device/node.ts';
import { openDevice } from '../../src/device/open-device.ts';
import type { KvCache } from '../../src/nvlm/kv-cache.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { assertSame } from './assert-same.ts';
import { llamaOnnx } from './llama-onnx.ts';
import type { OnnxKind } from './onnx-products.ts';
import { OrtDecoder, type OrtCache } from './ort-decoder.ts';
import { measurePairs, timed, type Pair } from './pairs.ts';
import { smollm2 } from './smollm2.ts';

const [runs = '7', bits = '8', kind = 'int8', wanted = ''] = process.argv.slice(2);
const NEW_TOKENS = 8;
const CACHES = [128, 2048] as const;
const PREFILLS = [128, 512];
/** Of the likeliest logit: what 8-bit weights and activations are off by, and no other model is. */
const MOST_DIFFERENCE = kind === 'f32' && bits === '16' ? 1e-3 : 0.25;

const { folder } = await smollm2();
const device = await openDevice('wasm', nodePlatform({ threads: 1 }));
const quantize = bits === '16' ? undefined : { bits: Number(bits) as 4 | 8, groupSize: 64 as const };
const model = await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: true, quantize });
const { model: onnx, shape } = await llamaOnnx(folder, kind as OnnxKind);
const peer = await OrtDecoder.open(onnx, shape);

const idsOf = (tokens: number) => Array.from({ length: tokens }, (_, i) => (7 * i) % shape.vocabulary);

async function prefill(tokens: number, cache: KvCache): Promise<Float32Array> {
  const plan = {
    inputIds: Int32Array.from(idsOf(tokens)),
    crossMask: new Uint8Array(),
    crossTiles: [],
    crossTagIds: [],
    sequenceTiles: [],
  };
  const logits = model.prefill([{ plan, features: null }], cache, 'last');
  const values = await device.read(logits);
  logits.dispose();
  return values;
}

/** {@link NEW_TOKENS} steps; the cache is as it was afterwards. */
async function decode(cache: KvCache): Promise<void> {
  const held = cache.lengths[0]!;
  for (let i = 0; i < NEW_TOKENS; i++) {
    const logits = model.step([(11 * i) % shape.vocabulary], cache);
    await device.read(logits);
    logits.dispose();
  }
  cache.truncate(held);
}

async function decodePeer(cache: OrtCache): Promise<void> {
  for (let i = 0; i < NEW_TOKENS; i++) ({ cache } = await peer.run([(11 * i) % shape.vocabulary], cache));
}

const sides: [string, string] = [`nvlm, ${bits} bits`, `onnxruntime-web, ${kind}`];
const pairs: Pair[] = [];
const [first] = CACHES;
{
  const cache = model.newCache(1);
  const { logits } = await peer.run(idsOf(first), peer.empty());
  assertSame(await prefill(first, cache), logits, MOST_DIFFERENCE);
  cache.dispose();
}
for (const tokens of CACHES) {
  const row = `decode, ${tokens} tokens held`;
  if (!row.includes(wanted)) continue;
  // What stands in a cache costs nothing and changes no time: zeros.
  const ours = model.newCache(1);
  ours.reserve(tokens + NEW_TOKENS, shape.kvHeads * shape.headDim);
  ours.advance([tokens]);
  const theirs = peer.held(tokens);
  pairs.push({
    row,
    unit: 'ms a token',
    sides,
    work: [() => timed(() => decode(ours), NEW_TOKENS), () => timed(() => decodePeer(theirs), NEW_TOKENS)],
  });
}
for (const tokens of PREFILLS) {
  const row = `prefill, ${tokens} tokens`;
  if (!row.includes(wanted)) continue;
  const ours = async () => {
    const cache = model.newCache(1);
    await prefill(tokens, cache);
    cache.dispose();
  };
  pairs.push({ row, unit: 'ms', sides, work: [() => timed(ours), () => timed(() => peer.run(idsOf(tokens), peer.empty()))] });
}
await measurePairs(pairs, Number(runs), { adapter: device.info.adapter, backend: device.info.backend });
await device.dispose();
process.exit(0);
