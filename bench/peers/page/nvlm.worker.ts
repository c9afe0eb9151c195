import * as Comlink from 'comlink';
import { browserPlatform } from '../../../src/device/browser.ts';
import { openDevice } from '../../../src/device/open-device.ts';
import type { Device } from '../../../src/device/types.ts';
import type { KvCache } from '../../../src/nvlm/kv-cache.ts';
import { loadModel } from '../../../src/nvlm/load-model.ts';
import type { NvlmModel, Sample } from '../../../src/nvlm/model.ts';
import { Sampler } from '../../../src/nvlm/sampler.ts';
import { httpFiles } from '../../../src/weights/http-files.ts';
import { openModelFolder } from '../../../src/weights/model-folder.ts';
import { countGpuCalls, since, type GpuCounts } from './gpu-counts.ts';

let device: Device;
let model: NvlmModel;
let cache: KvCache;

let counts: GpuCounts;
let answer: AsyncGenerator<number, void>;

function sampleOf(inputIds: Int32Array): Sample {
  return {
    plan: { inputIds, crossMask: new Uint8Array(), crossTiles: [], crossTagIds: [], sequenceTiles: [] },
    features: null,
  };
}

async function read(logits: ReturnType<NvlmModel['step']>): Promise<void> {
  await device.read(logits);
  logits.dispose();
}

const side = {
  /** The model under `/checkpoint/`, as the page would load it. */
  async open(backend: 'wasm' | 'webgpu', bits: 4 | 8 | 16) {
    device = await openDevice(backend, browserPlatform());
    const folder = await openModelFolder(httpFiles(new URL('/checkpoint/', location.origin), { id: 'bench' }));
    model = await loadModel(folder, { keepHalves: true, quantize: bits === 16 ? undefined : { bits, groupSize: 64 } });
    return device.info;
  },

  /** Milliseconds for a prompt of so many tokens; they stay in the cache. */
  async prefill(tokens: number): Promise<number> {
    cache?.dispose();
    cache = model.newCache(1);
    const inputIds = Int32Array.from({ length: tokens }, (_, i) => 100 + ((7 * i) % 40_000));
    const start = performance.now();
    await read(model.prefill([sampleOf(inputIds)], cache, 'last'));
    return performance.now() - start;
  },

  /** Milliseconds for so many steps; the cache is as it was afterwards. */
  async decode(tokens: number): Promise<number> {
    const held = cache.lengths[0]!;
    const start = performance.now();
    for (let i = 0; i < tokens; i++) await read(model.step([100 + i], cache));
    const ms = performance.now() - start;
    cache.truncate(held);
    return ms;
  },

  /** Begins a greedy answer by recorded steps, with room for so many tokens. @returns its first id */
  async prompt(ids: readonly number[], most: number): Promise<number> {
    counts = countGpuCalls();
    cache = model.newCache(1);
    const logits = model.prefill([sampleOf(Int32Array.from(ids))], cache, 'last');
    const greedy = new Sampler({ temperature: 0 }, []);
    const first = greedy.next(await device.read(logits), ids);
    logits.dispose();
    // Room for the whole answer at once: then nothing is made anew on the way.
    const { kvHeads, headDim } = model.config.llm;
    cache.reserve(ids.length + most, kvHeads * headDim);
    const recorded = model.record(cache, greedy, [...ids, first]);
    if (!recorded) throw new Error('This device or model takes ordinary steps.');
    answer = recorded.tokens(most, device);
    return first;
  },

  /** So many tokens more of the answer. */
  async answer(tokens: number): Promise<{ ids: number[]; ms: number; counts: GpuCounts }> {
    const before = { ...counts };
    const start = performance.now();
    const ids: number[] = [];
    for (let n = 0; n < tokens; n++) ids.push((await answer.next()).value as number);
    return { ids, ms: performance.now() - start, counts: since(before, counts) };
  },
};

export type NvlmSide = typeof side;

Comlink.expose(side);
