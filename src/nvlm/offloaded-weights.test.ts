import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it } from 'vitest';
import { relativeError } from '../../tests/goldens/check.ts';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import { deviceBytes, releaseUnused } from '../device/tensor-memory.ts';
import type { BackendName, Device } from '../device/types.ts';
import { forward } from '../engine/forward.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import { parseConfig } from './config.ts';
import { loadModel } from './load-model.ts';
import { weightsNeed } from './memory-need.ts';
import type { NvlmModel } from './model.ts';

let device: Device | undefined;
afterEach(() => device?.dispose());

async function record(name: string, kind: 'inputs' | 'outputs') {
  const path = `forward/0.${kind}.safetensors`;
  return parseSafetensors((await nodeFiles(goldenFolder(name)).readAll(path, 2 ** 25))!, path);
}

/** Watches what is on the device after every linear. */
function watched(model: NvlmModel): { peak: number } {
  const watch = { peak: 0 };
  const apply = model.weights.apply.bind(model.weights);
  model.weights.apply = (name, x) => {
    const result = apply(name, x);
    watch.peak = Math.max(watch.peak, deviceBytes());
    return result;
  };
  return watch;
}

describe.each([
  ['nvlm-d', 'wasm', 0.4],
  ['nvlm-x', 'wasm', 0.4],
  ['nvlm-h', 'wasm', 0.4],
  ['nvlm-d-72b-layout', 'wasm', 0.5],
  ['nvlm-d', 'webgpu', 0.4],
] as const)('%s on %s', (name, backend: BackendName, share) => {
  it(`equals the reference with ${share} of its weights' room, activations included`, async () => {
    device = await openBackend(backend);
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    const keepHalves = backend === 'webgpu';
    const config = parseConfig(folder.config);
    const need = weightsNeed(folder, config, { keepHalves }).bytes;
    const inputs = await record(name, 'inputs');
    const whole = await loadModel(folder, { keepHalves });
    const wholeWatch = watched(whole);
    await forward(whole, device, inputs);
    whole.dispose();
    releaseUnused();

    // These models are so small that activations weigh as much as they do.
    const budgetBytes = share * need + (backend === 'webgpu' ? 1 : 2) * (wholeWatch.peak - need);
    const model = await loadModel(folder, { keepHalves, offload: { budgetBytes } });
    const watch = watched(model);
    const outputs = await forward(model, device, inputs);
    for (const [output, reference] of await record(name, 'outputs')) {
      const values = outputs.find((candidate) => candidate.name === output)!.data as Float32Array;
      expect(relativeError(values, reference)).toBeLessThan(1e-3);
    }
    expect(watch.peak).toBeLessThanOrEqual(budgetBytes);
    expect(model.weights.bytes).toBeLessThan(need);
    model.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });
});
