import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import type { Device } from '../device/types.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { loadWeights } from './load-weights.ts';
import { weightsNeed } from './memory-need.ts';
import { parseConfig } from './parse-config.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('webgpu');
});
afterAll(() => device.dispose());

it('scales and biases of half precision stay halves, but where a device might take one for zero', async () => {
  const before = tf.memory().numTensors;
  const files = nodeFiles(goldenFolder('text/qwen2-affine-4bit-g64'));
  const name = 'model.layers.1.mlp.up_proj';
  const { start, file } = (await openModelFolder(files)).tensors.get(`${name}.scales`)!;
  const load = async (firstScale: number | null) => {
    const folder = await openModelFolder({
      ...files,
      async read(path, from, to, signal) {
        const bytes = await files.read(path, from, to, signal);
        const held = firstScale !== null && path === file && from <= start && to >= start + 2;
        if (held) bytes.set([firstScale & 0xff, firstScale >> 8], start - from);
        return bytes;
      },
    });
    const config = parseConfig(folder.config);
    return { weights: await loadWeights(folder, config, { keepHalves: true }), need: weightsNeed(folder, config, held) };
  };
  const held = { keepHalves: true, pairSides: true };

  const { weights, need } = await load(null);
  expect(weights.linear(name)).toMatchObject({ kind: 'affine', pairs: { dtype: 'int32' } });
  expect(weights.bytes).toBe(need.bytes);
  // 2^-24, the least half.
  const other = (await load(1)).weights;
  expect(other.linear(name)).toMatchObject({ kind: 'affine', scales: { dtype: 'float32' }, biases: { dtype: 'float32' } });
  expect(other.linear(name.replace('up', 'gate'))).toHaveProperty('pairs');
  weights.dispose();
  other.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
