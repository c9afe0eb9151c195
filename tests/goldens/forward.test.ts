/**
 * `forward` against the reference implementations (PyTorch): every architecture, the NVLM-D-72B layout and plain text models, on
 * every backend. Bound: 1e-3 of the largest absolute value (fixtures' README).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { forward } from '../../src/engine/forward.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { goldenFolder, relativeError } from './golden-files.ts';

const CASES: Record<string, number[]> = {
  'nvlm-d': [0, 2, 5, 7],
  'nvlm-x': [0, 2, 5, 7],
  'nvlm-h': [0, 2, 5, 7],
  'nvlm-d-72b-layout': [0],
  'text/qwen2': [0],
  'text/qwen3': [0],
  'text/llama': [0],
  'text/llama3-rope': [0],
};

describe.each(allBackends)('forward on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  it.each(Object.keys(CASES))('%s equals the reference', async (name) => {
    const folder = goldenFolder(name);
    const model = await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: backend === 'webgpu' });
    try {
      for (const record of CASES[name]!) {
        const read = async (kind: string) => {
          const path = join(folder, 'forward', `${record}.${kind}.safetensors`);
          return parseSafetensors(await readFile(path), path);
        };
        const expected = await read('outputs');
        const outputs = await forward(model, device, await read('inputs'));
        for (const output of outputs) {
          const reference = expected.get(output.name)!;
          expect(output.shape).toEqual(reference.shape);
          expect(relativeError(output.data as Float32Array, reference), `${name} ${record} ${output.name}`).toBeLessThan(1e-3);
        }
        expect(outputs.map((output) => output.name).sort()).toEqual([...expected.keys()].sort());
      }
    } finally {
      model.dispose();
    }
  });
});
