import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import type { Device } from '../device/types.ts';
import { CommandList } from '../ops/recorded/command-list.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { hasCrossAttention, tokensPerTile } from './config.ts';
import { generate } from './generate.ts';
import { CAPACITY_STEP } from './kv-cache.ts';
import { loadModel } from './load-model.ts';
import type { NvlmModel, Sample } from './model.ts';
import { names } from './names.ts';
import { Sampler, type Sampling } from './sampler.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('webgpu');
});
afterAll(() => device.dispose());

async function withModel(name: string, work: (model: NvlmModel) => Promise<void>): Promise<void> {
  const model = await loadModel(await openModelFolder(nodeFiles(goldenFolder(name))), { keepHalves: true });
  await work(model).finally(() => model.dispose());
}

const prompt: Sample = {
  plan: { inputIds: Int32Array.of(3, 14, 15, 9, 26), crossMask: new Uint8Array(0), crossTiles: [], crossTagIds: [], sequenceTiles: [] },
  features: null,
};

/** @param recorded false: by ordinary steps, as where nothing can be recorded */
async function answer(model: NvlmModel, sampling: Sampling, count: number, recorded: boolean, sample: Sample): Promise<number[]> {
  const cache = model.newCache(1);
  const record = vi.spyOn(model, 'record');
  if (!recorded) record.mockReturnValue(null);
  const ids: number[] = [];
  const options = {
    sampler: new Sampler(sampling, [7]),
    stopIds: new Set<number>(),
    maxNewTokens: count,
    device,
    yieldToEventLoop: () => Promise.resolve(),
  };
  for await (const id of generate(model, sample, cache, options)) ids.push(id);
  if (recorded) expect(record.mock.results[0]?.value).not.toBeNull();
  // The prompt and every id but the last.
  expect(cache.lengths).toEqual([prompt.plan.inputIds.length + count - 1]);
  record.mockRestore();
  cache.dispose();
  return ids;
}

/** The same beside a picture of two tiles that are cross-attended, where the model does that. */
function withPicture({ config }: NvlmModel): Sample {
  const shape: [number, number, number] = [2, tokensPerTile(config), config.llm.hiddenSize];
  const tiles = {
    crossTiles: [0, 1],
    crossTagIds: [Int32Array.of(5, 6), Int32Array.of(7)],
    crossMask: new Uint8Array(2 * prompt.plan.inputIds.length).fill(1),
  };
  return { plan: { ...prompt.plan, ...tiles }, features: tf.randomNormal(shape, 0, 1, 'float32', 3), imageTokenId: -1 };
}

it.each(['text/qwen3', 'text/qwen2-affine-4bit-g64', 'nvlm-x'])('%s says what ordinary steps say', async (name) => {
  await withModel(name, async (model) => {
    const sample = model.config.family.crossAttends ? withPicture(model) : prompt;
    for (const sampling of [{ temperature: 0 }, { temperature: 1, topP: 0.9, repetitionPenalty: 1.2, seed: 5 }]) {
      expect(await answer(model, sampling, 8, true, sample)).toEqual(await answer(model, sampling, 8, false, sample));
    }
    sample.features?.dispose();
  });
});

it.each(['text/llama', 'text/qwen2-affine-4bit-g64', 'nvlm-d', 'nvlm-x', 'nvlm-h', 'smolvlm', 'internvl3_5'])(
  '%s takes at most 9 dispatches a layer and 6 a token, with a long cache and a large picture too',
  async (name) => {
    // Counted, not run: what is counted hangs on shapes alone.
    const add = vi.spyOn(CommandList.prototype, 'add').mockReturnValue();
    await withModel(name, async (model) => {
      const { layers, kvHeads, headDim } = model.config.llm;
      const cache = model.newCache(1);
      const keys = (count: number) => ({
        k: tf.zeros<tf.Rank.R3>([1, count, kvHeads * headDim]),
        v: tf.zeros<tf.Rank.R3>([1, count, kvHeads * headDim]),
      });
      const crossed = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => hasCrossAttention(model.config, layer));
      const cross = {
        layers: new Map(crossed.map((layer) => [layer, keys(3000)])),
        keyTiles: tf.zeros<tf.Rank.R2>([1, 3000], 'int32'),
        tiles: 2,
      };
      if (crossed.length > 0) cache.setCross(cross);
      else cross.keyTiles.dispose();
      cache.reserve(4000, kvHeads * headDim);
      cache.advance([3999]);
      const tokens = model.record(cache, new Sampler({ temperature: 0 }, []), [5])!.tokens(1, device);
      await tokens.next();
      await tokens.return();
      expect(add.mock.calls.length).toBeLessThanOrEqual(9 * layers + 6);
      expect(add.mock.calls.length).toBeGreaterThan(4 * layers);
      cache.dispose();
    });
    add.mockRestore();
  },
);

it('takes one submit, one write of 32 bytes and four bytes back a token, and no memory, over many tokens and beyond the room of the cache', async () => {
  await withModel('text/llama', async (model) => {
    const { queue, device: gpu } = tf.backend() as WebGPUBackend;
    const calls = { submits: vi.spyOn(queue, 'submit'), writes: vi.spyOn(queue, 'writeBuffer'), buffers: vi.spyOn(gpu, 'createBuffer') };
    const counts = () => Object.values(calls).map((spy) => spy.mock.calls.length);
    const cache = model.newCache(1);
    const sampler = new Sampler({ temperature: 0 }, []);
    // The cache is full after 30 tokens, grows once, and then everything stays again.
    const long = Int32Array.from({ length: CAPACITY_STEP - 30 }, (_, i) => i % 300);
    await device.read(model.prefill([{ ...prompt, plan: { ...prompt.plan, inputIds: long } }], cache, 'last'));
    const tokens = model.record(cache, sampler, [...long, 5])!.tokens(150, device);
    const at = new Map<number, { counts: number[]; bytes: number; tensors: number }>();
    const ids: number[] = [];
    for (let n = 0; n < 150; n++) {
      ids.push((await tokens.next()).value!);
      at.set(n, { counts: counts(), bytes: device.memoryBytes(), tensors: tf.memory().numTensors });
    }
    const per = (from: number, to: number) => at.get(to)!.counts.map((count, i) => (count - at.get(from)!.counts[i]!) / (to - from));
    expect(per(5, 25)).toEqual([1, 1, 0]);
    expect(calls.writes.mock.lastCall![2]).toHaveProperty('byteLength', 32);
    expect(at.get(25)!.bytes).toBe(at.get(5)!.bytes);
    expect(cache.lengths[0]).toBeGreaterThan(CAPACITY_STEP);
    expect(per(40, 148)).toEqual([1, 1, 0]);
    expect(at.get(148)!.bytes).toBe(at.get(40)!.bytes);
    expect(at.get(148)!.tensors).toBe(at.get(5)!.tensors);
    await tokens.return();
    cache.dispose();
    for (const spy of Object.values(calls)) spy.mockRestore();
    // One ordinary pass over all of it finds the same ids the likeliest, each at its place.
    const inputIds = Int32Array.of(...long, 5, ...ids.slice(0, -1));
    const logits = model.prefill([{ ...prompt, plan: { ...prompt.plan, inputIds } }], null, 'all');
    const likeliest = logits.argMax(1);
    expect([...(await device.readIntegers(likeliest)).slice(long.length)]).toEqual(ids);
    tf.dispose([logits, likeliest]);
  });
});

/**
 * By the clock, until the step waits for the device: encoding and submitting. The software adapter computes on threads of its own; what
 * Dawn and the driver do inside these calls counts. The fastest of many tokens, for on a busy machine the others are interrupted.
 */
it('takes at most 0.1 ms of JavaScript a layer and token once it is recorded', async () => {
  await withModel('text/llama', async (model) => {
    // As many layers as a 0.5B has: the golden's own over and over.
    const { layers: own } = model.config.llm;
    const layers = 24;
    model.config.llm.layers = layers;
    const nameOf = names.decoderLayer;
    const named = vi.spyOn(names, 'decoderLayer').mockImplementation((config, layer) => nameOf(config, layer % own));
    const cache = model.newCache(1);
    const tokens = model.record(cache, new Sampler({ temperature: 0 }, []), [5])!.tokens(40, device);
    const busyMs: number[] = [];
    for (let n = 0; n < 30; n++) {
      const start = performance.now();
      const next = tokens.next();
      busyMs.push(performance.now() - start);
      await next;
    }
    await tokens.return();
    expect(Math.min(...busyMs)).toBeLessThanOrEqual(0.1 * layers);
    cache.dispose();
    named.mockRestore();
  });
});

it('adds what adapters change', async () => {
  await withModel('text/llama', async (model) => {
    const without = await answer(model, { temperature: 0 }, 5, false, prompt);
    const modules = ['self_attn.q_proj', 'mlp.gate_proj', 'mlp.down_proj'];
    modules.forEach((module, n) => {
      const name = `${names.decoderLayer(model.config, 1)}.${module}`;
      const { inFeatures, outFeatures } = model.weights.linear(name);
      const update = (rank: number, seed: number) => ({
        a: tf.randomNormal<tf.Rank.R2>([inFeatures, rank], 0, 1, 'float32', seed),
        b: tf.randomNormal<tf.Rank.R2>([rank, outFeatures], 0, 1, 'float32', seed + 1),
        scale: 0.5,
        dropout: null,
      });
      // Two adapters at once on one of them, of ranks that divide into nothing.
      model.weights.updates.set(name, n === 0 ? [update(3, 1), update(5, 3)] : [update(4, 10 * n)]);
    });
    const ordinary = await answer(model, { temperature: 0 }, 5, false, prompt);
    expect(ordinary).not.toEqual(without);
    expect(await answer(model, { temperature: 0 }, 5, true, prompt)).toEqual(ordinary);
  });
});

it('leaves to ordinary steps what it cannot do', async () => {
  await withModel('text/llama', async (model) => {
    const sampler = new Sampler({ temperature: 0 }, []);
    const batch = model.newCache(2);
    expect(model.record(batch, sampler, [1])).toBeNull();
    const cache = model.newCache(1);
    const update = { a: tf.zeros<tf.Rank.R2>([32, 2]), b: tf.zeros<tf.Rank.R2>([2, 32]), scale: 1, dropout: (x: tf.Tensor2D) => x };
    model.weights.updates.set('model.layers.0.self_attn.q_proj', [update]);
    expect(model.record(cache, sampler, [1])).toBeNull();
    for (const each of [batch, cache]) each.dispose();
  });
});
