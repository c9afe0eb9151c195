import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../device/types.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import { allBackends, openBackend } from '../../tests/support/backends.ts';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { routeTiles } from '../text/image-layout.ts';
import { tileMarks } from './config.ts';
import { loadModel } from './load-model.ts';
import type { NvlmModel, Sample } from './model.ts';

/** One-tile picture, 3 × 2 picture with thumbnail, text only: different lengths, with and without cross-attention input. */
const RECORDS = [0, 2, 5];

async function goldenSample(model: NvlmModel, name: string, record: number): Promise<Sample> {
  const path = join(goldenFolder(name), 'forward', `${record}.inputs.safetensors`);
  const tensors = parseSafetensors(await readFile(path), path);
  const integers = (key: string) => new Int32Array(tensors.get(key)!.bytes.slice().buffer);
  const inputIds = integers('input_ids');
  const pixels = tensors.get('pixel_values');
  const tiles = pixels?.shape[0] ?? 0;
  const { sequenceTiles, crossTiles } = routeTiles(model.config.layout.routing, [tileMarks(tiles, model.config)]);
  const tagShape = tensors.get('tag_ids')?.shape ?? [0, 0];
  const tagIds = tensors.has('tag_ids') ? integers('tag_ids') : new Int32Array(0);
  return {
    plan: {
      inputIds,
      sequenceTiles,
      crossTiles,
      crossMask: crossTiles.length > 0 ? Uint8Array.from(integers('cross_mask')) : new Uint8Array(0),
      crossTagIds: Array.from({ length: tagShape[0]! }, (_, row) =>
        tagIds.slice(row * tagShape[1]!, (row + 1) * tagShape[1]!).filter((id) => id >= 0),
      ),
    },
    features: pixels ? model.imageFeatures(new Float32Array(pixels.bytes.slice().buffer), tiles) : null,
  };
}

/** The sample's first `length` tokens. */
function head({ plan, features }: Sample, length: number): Sample {
  const crossMask = plan.crossMask.slice(0, length * plan.crossTiles.length);
  return { plan: { ...plan, inputIds: plan.inputIds.slice(0, length), crossMask }, features };
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / scale;
}

describe.each(allBackends)('NvlmModel on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  const withModel = async (name: string, work: (model: NvlmModel) => Promise<void>) => {
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    const model = await loadModel(folder, { keepHalves: backend === 'webgpu' });
    await work(model).finally(() => model.dispose());
  };
  const read = async (tensor: tf.Tensor): Promise<Float32Array> => {
    const values = await device.read(tensor);
    tensor.dispose();
    return values;
  };

  describe.each(['nvlm-d', 'nvlm-x', 'nvlm-h'])('%s', (name) => {
    it('gives the same logits from prefill and cached steps as from one full pass', async () => {
      await withModel(name, async (model) => {
        const sample = await goldenSample(model, name, 0);
        const { vocabSize } = model.config.llm;
        const length = sample.plan.inputIds.length;
        const full = await read(model.prefill([sample], null, 'all'));
        const row = (position: number) => full.subarray(position * vocabSize, (position + 1) * vocabSize);

        const split = length - 4;
        const cache = model.newCache(1);
        expect(largestDifference(await read(model.prefill([head(sample, split)], cache, 'last')), row(split - 1))).toBeLessThan(1e-4);
        for (let position = split; position < length; position++) {
          const logits = await read(model.step([sample.plan.inputIds[position]!], cache));
          expect(largestDifference(logits, row(position))).toBeLessThan(1e-4);
        }
        // A shorter common prefix: forget the tail, then run it again in one go.
        cache.truncate(split - 3);
        expect(largestDifference(await read(model.prefill([sample], cache, 'last')), row(length - 1))).toBeLessThan(1e-4);
        cache.dispose();
        sample.features?.dispose();
      });
    });

    it('keeps the rows of a batch of different lengths apart', async () => {
      await withModel(name, async (model) => {
        const samples = await Promise.all(RECORDS.map((record) => goldenSample(model, name, record)));
        const next = [5, 6, 7];
        const alone: Float32Array[] = [];
        const aloneNext: Float32Array[] = [];
        for (const [row, sample] of samples.entries()) {
          const cache = model.newCache(1);
          alone.push(await read(model.prefill([sample], cache, 'last')));
          aloneNext.push(await read(model.step([next[row]!], cache)));
          cache.dispose();
        }
        const cache = model.newCache(samples.length);
        const together = await read(model.prefill(samples, cache, 'last'));
        const togetherNext = await read(model.step(next, cache));
        const { vocabSize } = model.config.llm;
        samples.forEach((sample, row) => {
          const span = [row * vocabSize, (row + 1) * vocabSize] as const;
          expect(largestDifference(together.subarray(...span), alone[row]!)).toBeLessThan(1e-4);
          expect(largestDifference(togetherNext.subarray(...span), aloneNext[row]!)).toBeLessThan(1e-4);
          sample.features?.dispose();
        });
        cache.dispose();
      });
    });

    it('frees everything it made', async () => {
      const before = tf.memory().numTensors;
      await withModel(name, async (model) => {
        const loaded = tf.memory().numTensors;
        const sample = await goldenSample(model, name, 0);
        const cache = model.newCache(1);
        await read(model.prefill([sample], cache, 'last'));
        await read(model.step([5], cache));
        cache.dispose();
        sample.features?.dispose();
        expect(tf.memory().numTensors).toBe(loaded);
      });
      expect(tf.memory().numTensors).toBe(before);
    });
  });
});
