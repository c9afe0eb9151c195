import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, it, vi } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import type { BackendName, Device } from '../device/types.ts';
import { largestTensorBytes } from '../device/tensor-memory.ts';
import { NvlmError } from '../errors.ts';
import { makeTrainable } from '../training/trained-tensors.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { tokensPerTile } from './config.ts';
import { generate } from './generate.ts';
import { loadModel } from './load-model.ts';
import type { LoadWeightsOptions } from './load-weights.ts';
import { weightsNeed } from './memory-need.ts';
import type { NvlmModel, Sample } from './model.ts';
import { names, parameterSpecs } from './names.ts';
import { Sampler } from './sampler.ts';

let device: Device;
afterEach(() => device.dispose());

async function load(name: string, options: Partial<LoadWeightsOptions>): Promise<NvlmModel> {
  return loadModel(await openModelFolder(nodeFiles(goldenFolder(name))), { keepHalves: true, ...options });
}

const plan = {
  inputIds: Int32Array.of(3, 299, 15, 9, 26),
  crossMask: new Uint8Array(0),
  crossTiles: [],
  crossTagIds: [],
  sequenceTiles: [],
};

/** One picture's tokens before the text, where the model takes them so. */
function sampleFor({ config, imageTokenId }: NvlmModel): Sample {
  if (!config.vision || config.family.crossAttends || imageTokenId === null) return { plan, features: null };
  const tokens = tokensPerTile(config);
  const inputIds = Int32Array.of(...new Array<number>(tokens).fill(imageTokenId), ...plan.inputIds);
  const features = tf.randomNormal<tf.Rank.R3>([1, tokens, config.llm.hiddenSize], 0, 1, 'float32', 3);
  return { plan: { ...plan, inputIds, sequenceTiles: [0] }, features };
}

async function logitsOf(model: NvlmModel): Promise<Float32Array> {
  const sample = sampleFor(model);
  const logits = model.prefill([sample], null, 'all');
  const values = (await device.read(logits)).slice();
  tf.dispose([logits, sample.features ?? []]);
  return values;
}

it.each<[BackendName, string, Partial<LoadWeightsOptions>]>([
  ['wasm', 'text/llama', {}],
  ['wasm', 'text/qwen2', { keepHalves: false }],
  ['wasm', 'text/qwen2', { quantize: { bits: 8, groupSize: 32 } }],
  ['wasm', 'text/qwen2-affine-4bit-g64', {}],
  ['wasm', 'internvl', {}],
  ['cpu', 'internvl', { keepHalves: false }],
])('on %s, %s computes the same with every matrix in parts %j', async (backend, name, options) => {
  device = await openBackend(backend);
  const before = tf.memory().numTensors;
  const whole = await load(name, options);
  const expected = await logitsOf(whole);
  const { bytes } = whole.weights;
  whole.dispose();
  // A few rows of the widest a part: no size divides into it.
  const split = await load(name, { ...options, largestTensor: 7001 });
  expect(split.weights.linear(names.lmHead(split.config)).kind).toBe('parts');
  expect(split.weights.embedding(names.embedTokens(split.config)).kind).toBe('parts');
  expect(split.weights.bytes).toBe(bytes);
  const logits = await logitsOf(split);
  // Products of other shapes may add up in another order.
  expect(Math.max(...logits.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(2e-6);
  const embedTokens = parameterSpecs(split.config).filter((spec) => spec.name === names.embedTokens(split.config));
  await expect(makeTrainable(split.weights, embedTokens, device)).rejects.toThrow(NvlmError);
  split.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it('decodes by recorded steps with table and head in parts', async () => {
  device = await openBackend('webgpu');
  const answers: number[][] = [];
  for (const largestTensor of [Infinity, 33_000]) {
    const model = await load('text/llama', { largestTensor });
    expect(model.weights.linear(names.lmHead(model.config)).kind).toBe(largestTensor === 33_000 ? 'parts' : 'f32');
    const record = vi.spyOn(model, 'record');
    const cache = model.newCache(1);
    const sampler = new Sampler({ temperature: 0 }, []);
    const options = { sampler, stopIds: new Set<number>(), maxNewTokens: 5, device, yieldToEventLoop: () => Promise.resolve() };
    const ids: number[] = [];
    for await (const id of generate(model, { plan, features: null }, cache, options)) ids.push(id);
    expect(record.mock.results[0]?.value).not.toBeNull();
    answers.push(ids);
    cache.dispose();
    model.dispose();
  }
  expect(answers[1]).toEqual(answers[0]);
});

it('knows what the device binds at once, and counts no tensor above it', async () => {
  device = await openBackend('webgpu');
  const { maxBufferSize, maxStorageBufferBindingSize } = device.info.limits as Record<string, number>;
  expect(largestTensorBytes()).toBe(Math.min(maxBufferSize!, maxStorageBufferBindingSize!));
  const folder = await openModelFolder(nodeFiles(goldenFolder('text/llama')));
  const { config } = await load('text/llama', {});
  expect(weightsNeed(folder, config, { keepHalves: true, largestTensor: 9000 }).largest.bytes).toBe(9000);
  expect(weightsNeed(folder, config, { keepHalves: true }).largest.bytes).toBeGreaterThan(9000);
});
