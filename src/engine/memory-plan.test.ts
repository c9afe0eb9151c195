import * as tf from '@tensorflow/tfjs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { nodePlatform } from '../device/node.ts';
import { openDevice } from '../device/open-device.ts';
import type { Device } from '../device/types.ts';
import { kvCacheBytes } from '../nvlm/memory-need.ts';
import type { DType } from '../weights/dtype.ts';
import { openModelFolder, type ModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { JsonObject } from '../weights/strict-json.ts';
import { planMemory, type PlanDevice } from './memory-plan.ts';
import { Session } from './session.ts';
import { planConversation } from './text-side.ts';

const open = (model: string) =>
  openModelFolder(nodeFiles(fileURLToPath(new URL(`../../${model}`, import.meta.url)), model));

let device: Device | undefined;
afterEach(() => device?.dispose());

/** Off by this share of what was measured. */
const error = (planned: number, measured: number) => Math.abs(planned - measured) / measured;

describe.each([
  ['public/models/nano-d', 'wasm'],
  ['public/models/nano-x', 'wasm'],
  ['public/models/nano-h', 'wasm'],
  ['public/models/nano-h', 'webgpu'],
  ['tests/fixtures/goldens/nvlm-d-72b-layout', 'wasm'],
  ['tests/fixtures/goldens/nvlm-d-72b-layout', 'webgpu'],
] as const)('%s on %s', (model, backend) => {
  it.each([undefined, { bits: 4, groupSize: 32 } as const])('takes the planned bytes of weights, quantised: %o', async (quantize) => {
    const folder = await open(model);
    device = await openDevice(backend, nodePlatform());
    const plan = planMemory(folder, device.info, { quantize });
    const session = await Session.open(folder, device, { quantize });
    expect(error(plan.bytes.weights, session.model.weights.bytes)).toBeLessThan(0.001);
    expect(plan.verdict).toBe('fits');
    expect(plan.download).toBe(folder.shards.reduce((sum, { bytes }) => sum + bytes, 0));
    session.dispose();
  });
});

describe.each([
  ['nano-d', 'wasm'],
  ['nano-x', 'wasm'],
  ['nano-h', 'wasm'],
  ['nano-h', 'webgpu'],
] as const)('%s on %s', (model, backend) => {
  it('takes the planned bytes of cache with its largest picture', async () => {
    const folder = await open(`public/models/${model}`);
    device = await openDevice(backend, nodePlatform());
    const session = await Session.open(folder, device);
    const { config, text } = session;
    const side = config.tileSize * 2;
    const picture = { width: side * 3, height: side * 2, data: new Uint8Array(side * 3 * side * 2 * 3) };
    const { tiling, features } = await session.encode(picture);
    const plan = planConversation(text!, [{ role: 'user', content: 'What is this?' }], tiling, true);
    const cache = session.model.newCache(1);
    session.model.prefill([{ plan, features }], cache, 'last').dispose();
    const tokens = plan.inputIds.length;
    const crossKeys = plan.crossTiles.length * 16 + plan.crossTagIds.reduce((sum, ids) => sum + ids.length, 0);
    const inPlace = backend === 'webgpu';
    expect(kvCacheBytes(config, { tokens, crossKeys, inPlace })).toBe(cache.bytes);
    expect(tiling.tiles.length).toBe(config.maxTiles + 1);
    const planned = planMemory(folder, device.info, { contextLength: tokens }).bytes.kvCache;
    expect(planned).toBeGreaterThanOrEqual(cache.bytes);
    expect(error(planned, cache.bytes)).toBeLessThan(0.1);
    cache.dispose();
    features.dispose();
    session.dispose();
  });
});

/** The most bytes that tensors took while `work` went on. */
async function peakDuring<T>(work: () => Promise<T>): Promise<{ result: T; peak: number }> {
  const engine = tf.engine() as unknown as { trackTensor(...args: unknown[]): void; state: { numBytes: number } };
  const track = engine.trackTensor;
  let peak = 0;
  engine.trackTensor = function (...args) {
    track.apply(this, args);
    peak = Math.max(peak, this.state.numBytes);
  };
  try {
    return { result: await work(), peak };
  } finally {
    engine.trackTensor = track;
  }
}

describe.each(['nano-d', 'nano-x', 'nano-h'])('%s on wasm', (model) => {
  it.each([1, 20])('takes the planned bytes in all, with its largest picture and a question said %i times', async (times) => {
    const folder = await open(`public/models/${model}`);
    device = await openDevice('wasm', nodePlatform());
    const session = await Session.open(folder, device);
    const side = session.config.tileSize * 2;
    const picture = { width: side * 3, height: side * 2, data: new Uint8Array(side * 3 * side * 2 * 3) };
    const { result: tokens, peak } = await peakDuring(async () => {
      const { tiling, features } = await session.encode(picture);
      const content = 'What is this? '.repeat(times);
      const plan = planConversation(session.text!, [{ role: 'user', content }], tiling, true);
      const cache = session.model.newCache(1);
      session.model.prefill([{ plan, features }], cache, 'last').dispose();
      tf.dispose(features);
      cache.dispose();
      return plan.inputIds.length;
    });
    const planned = planMemory(folder, device.info, { contextLength: tokens }).bytes.total;
    expect(error(planned, peak)).toBeLessThan(0.1);
    session.dispose();
  });
});

/** A text model of real size, of which nothing but the headers is made up. */
function synthetic(layers: number, hiddenSize: number, dtype: DType = 'BF16'): Pick<ModelFolder, 'tensors' | 'config' | 'shards'> {
  const config = {
    model_type: 'llama',
    hidden_size: hiddenSize,
    num_attention_heads: hiddenSize / 64,
    num_key_value_heads: 8,
    num_hidden_layers: layers,
    intermediate_size: hiddenSize * 4,
    vocab_size: 128_000,
    max_position_embeddings: 32_768,
  };
  const tensors: ModelFolder['tensors'] = new Map();
  let at = 0;
  const add = (name: string, ...shape: number[]) => {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    (tensors as Map<string, unknown>).set(name, { name, dtype, shape, file: 'f', start: at, end: (at += bytes) });
  };
  add('model.embed_tokens.weight', 128_000, hiddenSize);
  add('lm_head.weight', 128_000, hiddenSize);
  add('model.norm.weight', hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    const name = `model.layers.${layer}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) add(`${name}.${norm}.weight`, hiddenSize);
    for (const part of ['q', 'o']) add(`${name}.self_attn.${part}_proj.weight`, hiddenSize, hiddenSize);
    for (const part of ['k', 'v']) add(`${name}.self_attn.${part}_proj.weight`, 512, hiddenSize);
    for (const part of ['gate', 'up']) add(`${name}.mlp.${part}_proj.weight`, hiddenSize * 4, hiddenSize);
    add(`${name}.mlp.down_proj.weight`, hiddenSize, hiddenSize * 4);
  }
  return { tensors, config: config as JsonObject, shards: [{ file: 'f', bytes: at }] };
}

describe('the verdict', () => {
  const wasm: PlanDevice = { backend: 'wasm', limits: {} };
  const gpu = (bytes: number): PlanDevice => ({
    backend: 'webgpu',
    limits: { maxBufferSize: 4 * bytes, maxStorageBufferBindingSize: bytes },
  });

  it('counts halves packed on WebGPU and unpacked on wasm', () => {
    const folder = synthetic(16, 2048);
    const packed = planMemory(folder, gpu(2 ** 31)).bytes.weights;
    const floats = planMemory(folder, wasm).bytes.weights;
    expect(packed / folder.shards[0]!.bytes).toBeCloseTo(1, 3);
    expect(floats / folder.shards[0]!.bytes).toBeCloseTo(2, 3);
  });

  it('says that wasm cannot address a large model, whatever the settings', () => {
    const plan = planMemory(synthetic(16, 2048), wasm);
    expect(plan).toMatchObject({ verdict: 'does-not-fit', settingsThatFit: null });
    expect(plan.problems[0]).toContain('wasm');
  });

  it('offers packing where one buffer would be too large, and names it', () => {
    const folder = synthetic(16, 2048);
    const plan = planMemory(folder, gpu(300_000_000));
    expect(plan).toMatchObject({ verdict: 'fits-if', largestBuffer: { name: expect.stringContaining('embed') as string } });
    expect(plan.problems[0]).toContain('embed');
    expect(plan.settingsThatFit).toEqual({ contextLength: 4096, quantize: { bits: 8, groupSize: 64 } });
    expect(planMemory(folder, gpu(300_000_000), plan.settingsThatFit!).verdict).toBe('fits');
    expect(planMemory(folder, gpu(150_000_000)).settingsThatFit?.quantize?.bits).toBe(4);
    expect(planMemory(folder, gpu(10_000_000)).verdict).toBe('does-not-fit');
  });

  it('offers a shorter context where the cache is what does not fit', () => {
    const folder = synthetic(2, 512);
    const fits = planMemory(folder, wasm, { contextLength: 4096 });
    expect(fits.verdict).toBe('fits');
    const long = planMemory(folder, wasm, { contextLength: 32_768 });
    expect(long.verdict).toBe('fits-if');
    expect(long.settingsThatFit!.contextLength).toBeLessThan(32_768);
    expect(planMemory(folder, wasm, long.settingsThatFit!).verdict).toBe('fits');
  });

  it('takes the context that the model has, and the quota that is left', () => {
    const folder = synthetic(2, 512);
    expect(planMemory(folder, wasm, { contextLength: 1e6 }).settings.contextLength).toBe(32_768);
    expect(planMemory(folder, wasm).canBeStored).toBeNull();
    expect(planMemory(folder, wasm, {}, 1000).canBeStored).toBe(false);
    expect(planMemory(folder, wasm, {}, 1e12)).toMatchObject({ canBeStored: true, freeQuota: 1e12 });
  });

  it('refuses weights that do not belong to the config, before the first of them is read', () => {
    const folder = synthetic(2, 512);
    const tensors = new Map(folder.tensors);
    tensors.delete('model.norm.weight');
    expect(() => planMemory({ ...folder, tensors }, wasm)).toThrow(expect.objectContaining({ code: 'bad-model' }) as Error);
  });
});

