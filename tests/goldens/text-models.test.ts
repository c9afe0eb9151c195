/** Plain text models: greedy continuations equal to the reference's; and quantising while loading, equal on every backend. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computesPacked } from '../../src/device/computes-packed.ts';
import type { Device } from '../../src/device/types.ts';
import { generate } from '../../src/nvlm/generate.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import type { QuantizeOptions } from '../../src/nvlm/load-weights.ts';
import type { Sample } from '../../src/nvlm/model.ts';
import { Sampler } from '../../src/nvlm/sampler.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { goldenFolder } from './golden-files.ts';

function textSample(ids: readonly number[]): Sample {
  const none = { crossMask: new Uint8Array(0), crossTiles: [], crossTagIds: [], sequenceTiles: [] };
  return { plan: { inputIds: Int32Array.from(ids), ...none }, features: null };
}

interface Greedy {
  promptIds: number[];
  ids: number[];
}

async function greedyOf(name: string): Promise<Greedy> {
  return JSON.parse(await readFile(join(goldenFolder(name), 'greedy.json'), 'utf8')) as Greedy;
}

async function load(name: string, device: Device, quantize?: QuantizeOptions) {
  const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
  return loadModel(folder, { keepHalves: computesPacked(device.info), quantize });
}

/** Logits after the prompt, computed packed on WebGPU and unpacked elsewhere. */
async function lastLogits(name: string, device: Device, quantize?: QuantizeOptions): Promise<Float32Array> {
  const model = await load(name, device, quantize);
  const logits = model.prefill([textSample((await greedyOf(name)).promptIds)], null, 'last');
  const values = await device.read(logits);
  logits.dispose();
  model.dispose();
  return values;
}

describe.each(allBackends)('on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(() => device.dispose());

  it.each(['text/qwen2', 'text/qwen3', 'text/llama', 'text/llama3-rope'])('%s continues as the reference does', async (name) => {
    const { promptIds, ids } = await greedyOf(name);
    const model = await load(name, device);
    const cache = model.newCache(1);
    const got: number[] = [];
    for await (const id of generate(model, textSample(promptIds), cache, {
      sampler: new Sampler({ temperature: 0 }, []),
      stopIds: new Set(),
      maxNewTokens: ids.length,
      device,
      yieldToEventLoop: () => Promise.resolve(),
    })) {
      got.push(id);
    }
    cache.dispose();
    model.dispose();
    expect(got).toEqual(ids);
  });
});

describe('quantised while loading', () => {
  const quantize = { bits: 4, groupSize: 64 } as const;
  const distance = (a: Float32Array, b: Float32Array) =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) /
    b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

  it('computes the same on wasm, unpacked, as on WebGPU, packed, and near the exact model', async () => {
    const wasm = await openBackend('wasm');
    const exact = await lastLogits('text/llama', wasm);
    const unpacked = await lastLogits('text/llama', wasm, quantize);
    await wasm.dispose();
    const webgpu = await openBackend('webgpu');
    const packed = await lastLogits('text/llama', webgpu, quantize);
    await webgpu.dispose();
    expect(distance(packed, unpacked)).toBeLessThan(1e-3);
    expect(distance(unpacked, exact)).toBeGreaterThan(1e-3);
    expect(distance(unpacked, exact)).toBeLessThan(0.5);
  });
});
