/**
 * Prefill and decoding of a decoder in a published model's shapes (random weights) with 16-, 8- and 4-bit weights, and how decoding
 * slows with the tokens that the cache holds. The kinds take turns, so that a machine that is busy for a while is so for all of them; the
 * last rows are ratios of medians.
 *
 * `npx tsx bench/wasm-decode.ts [RUNS] [BACKEND] [SHAPE] [LAYERS] [ROWS] [--threads N]`, e.g. `5 wasm smollm2-135m 30` or
 * `5 wasm llama-1b 4 decode`: ROWS of those measured, by a part of their names. With `--threads` every row is measured on one thread and
 * on N as well (`auto`: on as many as the device chooses), in turn; without it on one.
 */
import { parseArgs } from 'node:util';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { wasmPool } from '../src/device/wasm-kernels.ts';
import { median } from '../src/numbers/median.ts';
import type { KvCache } from '../src/nvlm/kv-cache.ts';
import { loadModel } from '../src/nvlm/load-model.ts';
import type { NvlmModel } from '../src/nvlm/model.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { nodeFiles } from '../src/weights/node-files.ts';
import { printReport, type Measurement } from './report.ts';
import { withSyntheticDecoder } from './synthetic-decoder.ts';

const { positionals, values: flags } = parseArgs({ allowPositionals: true, options: { threads: { type: 'string', default: '1' } } });
const [runs = '5', backend = 'wasm', shape = 'smollm2-135m', layers = '30', wanted = ''] = positionals;
/** Tokens decoded for one sample, and those that the cache holds before. */
const NEW_TOKENS = 8;
const CACHE_LENGTHS = [128, 2048];
const PREFILLS = [128, 512];

const SHAPES: Record<string, object> = {
  'smollm2-135m': { hidden_size: 576, intermediate_size: 1536, num_attention_heads: 9, num_key_value_heads: 3 },
  // So narrow that its kernels take nearly no time: what is left is JavaScript.
  narrow: { hidden_size: 64, intermediate_size: 64, num_attention_heads: 2, num_key_value_heads: 1 },
  'llama-1b': { hidden_size: 2048, intermediate_size: 8192, num_attention_heads: 32, num_key_value_heads: 8 },
};
if (!SHAPES[shape]) throw new Error(`There is no shape ${shape}: use ${Object.keys(SHAPES).join(' or ')}.`);
const json = {
  ...SHAPES[shape],
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  num_hidden_layers: Number(layers),
  // Of a few layers the head should not be the most.
  vocab_size: Number(layers) < 16 ? 4096 : 49_152,
  max_position_embeddings: 8192,
  rope_theta: 100_000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};
const KINDS = { '16 bits': undefined, '8 bits': { bits: 8, groupSize: 64 }, '4 bits': { bits: 4, groupSize: 64 } } as const;

const threads = flags.threads === 'auto' ? undefined : Number(flags.threads);
const device = await openDevice(backend as BackendChoice, nodePlatform({ threads }));
/** The words behind a row's name, and how many threads it may use. */
const TURNS: [words: string, most: number][] =
  device.info.threads === 1
    ? [['', 1]]
    : [
        [', 1 thread', 1],
        [`, ${device.info.threads} threads`, Infinity],
      ];
const models = await loadModels();

function loadModels(): Promise<[string, NvlmModel][]> {
  return withSyntheticDecoder(json, async (folder) => {
    const loaded: [string, NvlmModel][] = [];
    for (const [kind, quantize] of Object.entries(KINDS)) {
      loaded.push([kind, await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: true, quantize })]);
    }
    return loaded;
  });
}

function textOf(tokens: number) {
  const inputIds = Int32Array.from({ length: tokens }, (_, i) => (7 * i) % json.vocab_size);
  const plan = { inputIds, crossMask: new Uint8Array(), crossTiles: [], crossTagIds: [], sequenceTiles: [] };
  return { plan, features: null };
}

async function prefill(model: NvlmModel, tokens: number, cache: KvCache): Promise<number> {
  const start = performance.now();
  const logits = model.prefill([textOf(tokens)], cache, 'last');
  await device.read(logits);
  logits.dispose();
  return performance.now() - start;
}

/** A cache of zeros, for what stands in it changes no time. */
function held(model: NvlmModel, tokens: number): KvCache {
  const { kvHeads, headDim } = model.config.llm;
  const cache = model.newCache(1);
  cache.reserve(tokens + NEW_TOKENS, kvHeads * headDim);
  cache.advance([tokens]);
  return cache;
}

/** Milliseconds a token, of the clock and of this process's processor time; the cache is as it was afterwards. */
async function decode(model: NvlmModel, cache: KvCache): Promise<{ ms: number; cpuMs: number }> {
  const held = cache.lengths[0]!;
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < NEW_TOKENS; i++) {
    const logits = model.step([(11 * i) % json.vocab_size], cache);
    await device.read(logits);
    logits.dispose();
  }
  cache.truncate(held);
  const { user, system } = process.cpuUsage(cpu);
  return { ms: (performance.now() - start) / NEW_TOKENS, cpuMs: (user + system) / 1000 / NEW_TOKENS };
}

const samples = new Map<string, number[]>();
const note = (name: string, sample: number) => samples.set(name, [...(samples.get(name) ?? []), sample]);

const caches = new Map(models.map(([, model]) => [model, CACHE_LENGTHS.map((tokens) => held(model, tokens))]));
for (let run = 0; run < Number(runs); run++) {
  for (const [kind, model] of models) {
    for (const tokens of PREFILLS) {
      for (const [words, most] of TURNS) {
        const row = `prefill, ${tokens} tokens, ${kind}${words}`;
        if (!row.includes(wanted)) continue;
        useThreads(most);
        const cache = model.newCache(1);
        note(row, (1000 * tokens) / (await prefill(model, tokens, cache)));
        cache.dispose();
      }
    }
    for (const cache of caches.get(model)!) {
      for (const [words, most] of TURNS) {
        const row = `decode, ${cache.lengths[0]} tokens held, ${kind}${words}`;
        if (!row.includes(wanted)) continue;
        useThreads(most);
        const { ms, cpuMs } = await decode(model, cache);
        note(row, ms);
        note(`${row}, processor time`, cpuMs);
      }
    }
  }
}

function useThreads(most: number): void {
  const pool = wasmPool();
  if (pool) pool.mostUsed = most;
}

const of = (name: string, unit: string, values: number[]): Measurement => ({
  name: `${shape}'s shapes, ${layers} layers: ${name}`,
  unit,
  samples: values,
  adapter: device.info.adapter,
  backend: device.info.backend,
});
const middle = (name: string) => median(samples.get(name)!);
printReport(
  ...[...samples].map(([name, values]) => of(name, name.startsWith('prefill') ? 'tokens/s' : 'ms a token', values)),
  ...models.map(([kind, model]) => of(`weights, ${kind}`, 'MB', [model.weights.bytes / 1e6])),
  ...models.flatMap(([kind]) =>
    TURNS.flatMap(([words]) =>
      ['', ', processor time'].flatMap((clock) => {
        const names = CACHE_LENGTHS.map((length) => `decode, ${length} tokens held, ${kind}${words}${clock}`);
        if (!names.every((name) => samples.has(name))) return [];
        const [short, long] = names.map(middle) as [number, number];
        return of(`decode, ${CACHE_LENGTHS.join(' → ')} tokens held, ${kind}${words}${clock}, ratio`, '', [long / short]);
      }),
    ),
  ),
  // How many times as fast, of neighbouring runs.
  ...[...samples].flatMap(([name, onOne]) => {
    const [alone, many] = [TURNS[0]![0], TURNS[1]?.[0]];
    if (many === undefined || !name.endsWith(alone)) return [];
    const onMany = samples.get(name.replace(alone, many))!;
    const speedups = onOne.map((sample, i) => (name.startsWith('prefill') ? onMany[i]! / sample : sample / onMany[i]!));
    return of(name.replace(alone, `${many} beside one, times as fast`), '', speedups);
  }),
);
await device.dispose();
process.exit(0);
