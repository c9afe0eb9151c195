import * as tf from '@tensorflow/tfjs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { nodePlatform } from '../../device/node.ts';
import { openDevice } from '../../device/open-device.ts';
import type { Device } from '../../device/types.ts';
import { watchPeakBytes } from '../../device/peak-bytes.ts';
import { releaseUnused } from '../../device/tensor-memory.ts';
import { parseConfig } from '../../nvlm/parse-config.ts';
import { kvCacheBytes } from '../../nvlm/memory-need.ts';
import { parameterSpecs } from '../../nvlm/names.ts';
import { syntheticCheckpoint, type SyntheticCheckpoint } from '../../nvlm/synthetic-checkpoint.ts';
import type { RgbImage } from '../../tiling/types.ts';
import type { DType } from '../../weights/dtype.ts';
import { openModelFolder, type ModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { buildHeader } from '../../weights/safetensors.ts';
import type { ModelFiles } from '../../weights/source.ts';
import type { JsonObject } from '../../weights/strict-json.ts';
import { planMemory, type PlanDevice } from './memory-plan.ts';
import { Session } from '../chat/session.ts';
import { planConversation } from '../chat/text-side.ts';

const open = (model: string) => openModelFolder(nodeFiles(fileURLToPath(new URL(`../../../${model}`, import.meta.url)), model));

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

/** Of two by three tiles. */
function largestPicture({ config }: Session): RgbImage {
  const side = config.tileSize * 2;
  return { width: side * 3, height: side * 2, data: new Uint8Array(side * 3 * side * 2 * 3) };
}

/** WebGPU allocates as ever and computes nothing, which a software GPU adapter would take minutes for. */
function allocateOnly(): void {
  if (tf.getBackend() === 'webgpu') (tf.backend() as unknown as { queue: GPUQueue }).queue.submit = () => undefined;
}

describe.each([
  ['nano-d', 'wasm', 1],
  ['nano-d', 'wasm', 20],
  ['nano-x', 'wasm', 1],
  ['nano-x', 'wasm', 20],
  ['nano-h', 'wasm', 1],
  ['nano-h', 'wasm', 20],
  ['nano-d', 'webgpu', 20],
  ['nano-x', 'webgpu', 20],
  ['nano-h', 'webgpu', 20],
] as const)('%s on %s', (model, backend, times) => {
  it(`takes the planned bytes, with two of its largest pictures and a question said ${times} times`, async () => {
    const folder = await open(`public/models/${model}`);
    device = await openDevice(backend, nodePlatform());
    const session = await Session.open(folder, device);
    const { config, text } = session;
    allocateOnly();
    const watch = watchPeakBytes();
    const { tiling, features } = await session.encode(largestPicture(session));
    const plan = planConversation(text!, [{ role: 'user', content: 'What is this? '.repeat(times) }], [tiling], true);
    const cache = session.model.newCache(1);
    session.model.prefill([{ plan, features }], cache, 'last').dispose();
    releaseUnused();
    // The next picture is looked at while the talk about this one is still there.
    (await session.encode(largestPicture(session))).features.dispose();
    watch.stop();

    const tokens = plan.inputIds.length;
    const crossKeys = plan.crossTiles.length * 16 + plan.crossTagIds.reduce((sum, ids) => sum + ids.length, 0);
    expect(kvCacheBytes(config, { tokens, crossKeys, inPlace: true })).toBe(cache.bytes);
    expect(tiling.tiles.length).toBe(config.maxTiles + 1);
    const planned = planMemory(folder, device.info, { contextLength: tokens }).bytes;
    expect(planned.kvCache).toBeGreaterThanOrEqual(cache.bytes);
    expect(error(planned.kvCache, cache.bytes)).toBeLessThan(0.1);
    expect(error(planned.total, watch.peak)).toBeLessThan(0.1);
    // It grows by a fifth at a time, and holds the module's own data.
    if (backend === 'wasm') expect(device.memoryBytes()).toBeLessThan(1.2 * (planned.total + 2e6));
    cache.dispose();
    features.dispose();
    session.dispose();
  });
});

/** A copy of a checkpoint on disk whose weights are all zero. */
function zeros({ tensors, files }: SyntheticCheckpoint): ModelFiles {
  const { header, totalBytes } = buildHeader(tensors.map((tensor) => ({ ...tensor, dtype: 'BF16' as const })));
  const texts = new Map(Object.entries(files).map(([name, json]) => [name, new TextEncoder().encode(JSON.stringify(json))]));
  return {
    id: 'zeros',
    size: async (path) => (path === 'model.safetensors' ? totalBytes : (texts.get(path)?.length ?? null)),
    async read(_, start, end) {
      const bytes = new Uint8Array(end - start);
      bytes.set(header.subarray(start, end));
      return bytes;
    },
    readAll: async (path) => texts.get(path) ?? null,
    finish: async () => undefined,
    close: async () => undefined,
    isStored: () => false,
  };
}

it('InternVL2.5-1B, eight layers of it, takes the planned bytes on WebGPU with 4000 tokens', async () => {
  const tokens = 4000;
  const full = syntheticCheckpoint('internvl2_5-1b', 8);
  const json = full.files['config.json'] as { llm_config: object };
  const small = { ...json, llm_config: { ...json.llm_config, vocab_size: 16_384 } };
  const files = { ...full.files, 'config.json': small };
  const folder = await openModelFolder(zeros({ ...full, files, tensors: parameterSpecs(parseConfig(small)) }));
  device = await openDevice('webgpu', nodePlatform());
  const session = await Session.open(folder, device);
  allocateOnly();
  const watch = watchPeakBytes();
  const { features } = await session.encode(largestPicture(session), 1);
  const plan = { inputIds: new Int32Array(tokens), crossMask: new Uint8Array(0), crossTiles: [], crossTagIds: [], sequenceTiles: [] };
  const cache = session.model.newCache(1);
  session.model.prefill([{ plan, features: null }], cache, 'last').dispose();
  watch.stop();
  const planned = planMemory(folder, device.info, { contextLength: tokens }).bytes;
  expect(planned.weights).toBe(session.model.weights.bytes);
  expect(error(planned.total, watch.peak)).toBeLessThan(0.1);
  // Without the weights, which are the larger part and exact.
  const others = planned.kvCache + planned.activations;
  expect(error(others, watch.peak - planned.weights)).toBeLessThan(0.1);
  tf.dispose(features);
  cache.dispose();
  session.dispose();
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
  const wasm: PlanDevice = { backend: 'wasm', features: ['simd'], limits: {} };
  const gpu = (bytes: number): PlanDevice => ({
    backend: 'webgpu',
    features: [],
    limits: { maxBufferSize: 4 * bytes, maxStorageBufferBindingSize: bytes },
  });

  it('counts halves packed on WebGPU and wasm, and unpacked on wasm without SIMD', () => {
    const folder = synthetic(16, 2048);
    const packed = planMemory(folder, gpu(2 ** 31)).bytes.weights;
    const floats = planMemory(folder, { ...wasm, features: [] }).bytes.weights;
    expect(planMemory(folder, wasm).bytes.weights).toBe(packed);
    expect(packed / folder.shards[0]!.bytes).toBeCloseTo(1, 3);
    expect(floats / folder.shards[0]!.bytes).toBeCloseTo(2, 3);
  });

  it('says that wasm cannot address a large model, whatever the settings', () => {
    const plan = planMemory(synthetic(64, 4096), wasm);
    expect(plan).toMatchObject({ verdict: 'does-not-fit', settingsThatFit: null });
    expect(plan.problems[0]).toContain('wasm');
  });

  it('holds a matrix in parts where one buffer would be too large', () => {
    const folder = synthetic(16, 2048);
    const embedding = { name: expect.stringContaining('embed') as string };
    expect(planMemory(folder, gpu(1_000_000_000))).toMatchObject({ verdict: 'fits', largestBuffer: embedding });
    const plan = planMemory(folder, gpu(300_000_000));
    expect(plan).toMatchObject({ verdict: 'fits', largestBuffer: { ...embedding, bytes: 300_000_000 } });
    expect(planMemory(folder, gpu(150_000_000), { quantize: { bits: 8, groupSize: 64 } }).verdict).toBe('fits');
  });

  it('offers a shorter context where the keys of a layer need too large a buffer, and names them', () => {
    const folder = synthetic(16, 2048);
    const plan = planMemory(folder, gpu(20_000_000), { contextLength: 32_768 });
    expect(plan).toMatchObject({ verdict: 'fits-if', largestBuffer: { name: expect.stringContaining('keys') as string } });
    expect(plan.problems[0]).toContain('keys');
    expect(planMemory(folder, gpu(20_000_000), plan.settingsThatFit!).verdict).toBe('fits');
  });

  it('offers a shorter context where the cache is what does not fit', () => {
    const folder = synthetic(24, 512);
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
