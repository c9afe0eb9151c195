import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import type { Device } from '../device/types.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { generate } from './generate.ts';
import { CAPACITY_STEP } from './kv-cache.ts';
import { loadModel } from './load-model.ts';
import type { NvlmModel, Sample } from './model.ts';
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
async function answer(model: NvlmModel, sampling: Sampling, count: number, recorded: boolean): Promise<number[]> {
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
  for await (const id of generate(model, prompt, cache, options)) ids.push(id);
  if (recorded) expect(record.mock.results[0]?.value).not.toBeNull();
  // The prompt and every id but the last.
  expect(cache.lengths).toEqual([prompt.plan.inputIds.length + count - 1]);
  record.mockRestore();
  cache.dispose();
  return ids;
}

it.each(['text/qwen3', 'text/qwen2-affine-4bit-g64', 'nvlm-x'])('%s says what ordinary steps say', async (name) => {
  await withModel(name, async (model) => {
    for (const sampling of [{ temperature: 0 }, { temperature: 1, topP: 0.9, repetitionPenalty: 1.2, seed: 5 }]) {
      expect(await answer(model, sampling, 8, true)).toEqual(await answer(model, sampling, 8, false));
    }
  });
});

it('takes one submit, one write of 32 bytes and four bytes back a token, and no memory, beyond the room of the cache too', async () => {
  await withModel('text/llama', async (model) => {
    const { queue, device: gpu } = tf.backend() as WebGPUBackend;
    const calls = { submits: vi.spyOn(queue, 'submit'), writes: vi.spyOn(queue, 'writeBuffer'), buffers: vi.spyOn(gpu, 'createBuffer') };
    const counts = () => Object.values(calls).map((spy) => spy.mock.calls.length);
    const cache = model.newCache(1);
    const sampler = new Sampler({ temperature: 0 }, []);
    // The cache is full after 30 tokens, grows once, and then everything stays again.
    const long = Int32Array.from({ length: CAPACITY_STEP - 30 }, (_, i) => i % 300);
    await device.read(model.prefill([{ ...prompt, plan: { ...prompt.plan, inputIds: long } }], cache, 'last'));
    const tokens = model.record(cache, sampler, [...long, 5])!.tokens(60, device);
    const at = new Map<number, { counts: number[]; bytes: number }>();
    for (let n = 0; n < 60; n++) {
      await tokens.next();
      at.set(n, { counts: counts(), bytes: device.memoryBytes() });
    }
    const per = (from: number, to: number) => at.get(to)!.counts.map((count, i) => (count - at.get(from)!.counts[i]!) / (to - from));
    expect(per(5, 25)).toEqual([1, 1, 0]);
    expect(calls.writes.mock.lastCall![2]).toHaveProperty('byteLength', 32);
    expect(at.get(25)!.bytes).toBe(at.get(5)!.bytes);
    expect(cache.lengths[0]).toBeGreaterThan(CAPACITY_STEP);
    expect(per(40, 58)).toEqual([1, 1, 0]);
    expect(at.get(58)!.bytes).toBe(at.get(40)!.bytes);
    await tokens.return();
    cache.dispose();
    for (const spy of Object.values(calls)) spy.mockRestore();
  });
});

it('leaves to ordinary steps what it cannot do', async () => {
  await withModel('text/llama', async (model) => {
    const sampler = new Sampler({ temperature: 0 }, []);
    const batch = model.newCache(2);
    expect(model.record(batch, sampler, [1])).toBeNull();
    const cache = model.newCache(1);
    model.weights.updates.set('model.layers.0.self_attn.q_proj', []);
    expect(model.record(cache, sampler, [1])).toBeNull();
    model.weights.updates.clear();
    for (const each of [batch, cache]) each.dispose();
  });
});
