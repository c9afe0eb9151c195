import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../../tests/goldens/check.ts';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import { deviceBytes, releaseUnused } from '../device/tensor-memory.ts';
import { computesPacked } from '../device/computes-packed.ts';
import type { BackendName, Device } from '../device/types.ts';
import { forward } from '../engine/measure/forward.ts';
import { measureModel } from '../engine/measure/measure.ts';
import { syntheticFiles } from '../engine/models/synthesize.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { parseSafetensors, type LoadedTensor } from '../weights/safetensors.ts';
import { parseConfig } from './parse-config.ts';
import { loadModel } from './load-model.ts';
import { weightsNeed } from './memory-need.ts';
import type { NvlmModel } from './model.ts';
import { parameterSpecs } from './names.ts';
import { syntheticCheckpoint, type SyntheticCheckpoint } from './synthetic-checkpoint.ts';

let device: Device | undefined;
afterEach(() => device?.dispose());

async function record(name: string, kind: 'inputs' | 'outputs') {
  const path = `forward/0.${kind}.safetensors`;
  return parseSafetensors((await nodeFiles(goldenFolder(name)).readAll(path, 2 ** 25))!, path);
}

/** Watches what is on the device after every linear. */
function watched(model: NvlmModel): { peak: number } {
  const watch = { peak: 0 };
  const { weights } = model;
  const [apply, applyEach] = [weights.apply.bind(weights), weights.applyEach.bind(weights)];
  const seen = <R>(result: R): R => {
    watch.peak = Math.max(watch.peak, deviceBytes());
    return result;
  };
  weights.apply = (name, x) => seen(apply(name, x));
  weights.applyEach = (linears, x) => seen(applyEach(linears, x));
  return watch;
}

/** Records of the same weights under other names. */
const RECORDS_OF: Record<string, string> = { 'internvl-hf': 'internvl' };

/** So few that activations leave room to bound the weights: no row of a text depends on those behind it. */
const TEXT_ROWS = 6;

function firstRows(name: string, tensors: Map<string, LoadedTensor>): Map<string, LoadedTensor> {
  if (!name.startsWith('text/')) return tensors;
  const cut = ({ shape: [rows, ...rest], bytes, ...tensor }: LoadedTensor) => ({
    ...tensor,
    shape: [TEXT_ROWS, ...rest],
    bytes: bytes.subarray(0, (bytes.length * TEXT_ROWS) / rows!),
  });
  return new Map([...tensors].map(([key, tensor]) => [key, cut(tensor)]));
}

/**
 * Share of the weights' room, and how many times the activations': as little as the estimate of those allows. These
 * models are so small that activations weigh as much as they do.
 */
describe.each([
  ['nvlm-d', 'wasm', 0.4, 2],
  ['nvlm-x', 'wasm', 0.4, 2],
  ['nvlm-h', 'wasm', 0.4, 2.1],
  ['nvlm-d-72b-layout', 'wasm', 0.5, 2],
  ['internvl', 'wasm', 0.5, 2.9],
  ['internvl-hf', 'wasm', 0.5, 2.9],
  ['text/llama', 'wasm', 0.4, 2],
  ['text/llama-biased', 'wasm', 0.4, 2],
  ['text/qwen2', 'wasm', 0.4, 2],
  ['text/qwen2-affine-4bit-g32', 'wasm', 0.4, 1],
  ['nvlm-d', 'webgpu', 0.4, 1],
  ['text/qwen2-affine-4bit-g32', 'webgpu', 0.4, 1],
] as const)('%s on %s', (name, backend: BackendName, share, slack) => {
  it(`equals the reference with ${share} of its weights' room, activations included`, async () => {
    device = await openBackend(backend);
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    const keepHalves = computesPacked(device.info);
    const config = parseConfig(folder.config);
    const need = weightsNeed(folder, config, { keepHalves }).bytes;
    const read = async (kind: 'inputs' | 'outputs') => firstRows(name, await record(RECORDS_OF[name] ?? name, kind));
    const inputs = await read('inputs');
    const whole = await loadModel(folder, { keepHalves });
    const wholeWatch = watched(whole);
    await forward(whole, device, inputs);
    whole.dispose();
    releaseUnused();

    const taken = share * need + slack * (wholeWatch.peak - need);
    const model = await loadModel(folder, { keepHalves, offload: { budgetBytes: backend === 'wasm' ? 1.5 * taken : taken } });
    const watch = watched(model);
    const outputs = await forward(model, device, inputs);
    for (const [output, reference] of await read('outputs')) {
      const values = outputs.find((candidate) => candidate.name === output)!.data as Float32Array;
      expect(relativeError(values, reference)).toBeLessThan(1e-3);
    }
    // Of a budget on wasm, a third is for the gaps in its memory.
    expect(watch.peak).toBeLessThanOrEqual(taken);
    expect(model.weights.bytes).toBeLessThan(need);
    model.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });
});

describe('a model of real widths, several times what it may take', () => {
  const checkpoint = narrowed();
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nvlm-offload-'));
    for (const { name, pieces } of syntheticFiles(checkpoint, 3)) {
      const file = await open(join(folder, name), 'w');
      for (const piece of pieces()) await file.writeFile(piece);
      await file.close();
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('keeps the memory of wasm itself to the budget', async () => {
    device = await openBackend('wasm');
    const budgetBytes = 150e6;
    const files = await openModelFolder(nodeFiles(folder));
    expect(weightsNeed(files, parseConfig(files.config), { keepHalves: true }).bytes).toBeGreaterThan(2.5 * budgetBytes);
    const request = { picture: null, prompt: 'Say something.', newTokens: 1, runs: 1, warmUps: 0 };
    const { peakBytes } = await measureModel(files, device, request, { offload: { budgetBytes } });
    expect(peakBytes).toBeLessThanOrEqual(budgetBytes);
  }, 120_000);
});

/** InternVL2.5-1B with a tenth of its vocabulary. */
function narrowed(): SyntheticCheckpoint {
  const full = syntheticCheckpoint('internvl2_5-1b', 12);
  const json = full.files['config.json'] as { llm_config: object };
  const small = { ...json, llm_config: { ...json.llm_config, vocab_size: 16_384 } };
  const config = parseConfig(small);
  return { ...full, config, tensors: parameterSpecs(config), files: { ...full.files, 'config.json': small } };
}

it('quantised while they are read, weights are those of a model quantised while it loads', async () => {
  device = await openBackend('wasm');
  const folder = await openModelFolder(nodeFiles(goldenFolder('text/llama')));
  const inputs = firstRows('text/llama', await record('text/llama', 'inputs'));
  const logits = async (offload?: { budgetBytes: number }) => {
    const quantize = { bits: 4, groupSize: 32 } as const;
    const model = await loadModel(folder, { keepHalves: false, quantize, offload });
    const [output] = await forward(model, device!, inputs);
    model.dispose();
    return output!.data;
  };
  expect(await logits({ budgetBytes: 4.5e5 })).toEqual(await logits());
});
