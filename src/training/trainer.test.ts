import * as tf from '@tensorflow/tfjs';
import type { Rank } from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import type { Device } from '../device/types.ts';
import { openFiles } from '../headless/node-platform.ts';
import { loadModel } from '../nvlm/load-model.ts';
import type { LoadWeightsOptions } from '../nvlm/load-weights.ts';
import type { NvlmModel } from '../nvlm/model.ts';
import { names } from '../nvlm/names.ts';
import { inOnePiece } from '../nvlm/weights.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { summedLoss } from './loss.ts';
import { parseRun } from './run-config.ts';
import { Trainer } from './trainer.ts';

const inputIds = Int32Array.from({ length: 12 }, (_, i) => 20 + i);
const plan = {
  inputIds,
  labels: inputIds.map((id, i) => (i < 4 ? -100 : id)),
  sequenceTiles: [],
  crossTiles: [],
  crossMask: new Uint8Array(0),
  crossTagIds: [],
};

function openNano(options: Omit<LoadWeightsOptions, 'keepHalves'> & { keepHalves?: boolean } = {}): Promise<NvlmModel> {
  return openFiles({ kind: 'bundled', id: 'nano-d' })
    .then((files) => openModelFolder(files))
    .then((folder) => loadModel(folder, { keepHalves: false, ...options }));
}

describe('a packed base', () => {
  const QUANTIZE = { bits: 4, groupSize: 64 } as const;

  async function firstStep(backend: 'wasm' | 'webgpu', changes: object, options: Parameters<typeof openNano>[0]): Promise<number[]> {
    const device = await openBackend(backend);
    const model = await openNano({ keepHalves: backend === 'webgpu', ...options });
    const run = parseRun({ model: 'nano-d', data: 'none', steps: 1, ...changes }, 'run');
    const trainer = await Trainer.create(model, run, device);
    const { loss, gradNorm } = await trainer.step(0, [[{ plan, image: null }]]);
    trainer.dispose();
    model.dispose();
    await device.dispose();
    return [loss, gradNorm];
  }

  const lora = { rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'] };
  it.each([
    ['LoRA on packed halves', { lora }, {}],
    ['LoRA on 4 bits', { lora }, { quantize: QUANTIZE }],
    ['full training, halves unpacked', { stage: 'sft', activation_checkpointing: true }, {}],
  ])('%s on WebGPU equals f32 on wasm', async (_, changes, options) => {
    const packed = await firstStep('webgpu', changes, options);
    const plain = await firstStep('wasm', changes, options);
    packed.forEach((value, i) => expect(Math.abs(value - plain[i]!)).toBeLessThan(2e-3 * plain[i]!));
  });

  it('is not trained itself when it is quantised', async () => {
    const device = await openBackend('wasm');
    const model = await openNano({ keepHalves: true, quantize: QUANTIZE });
    const run = parseRun({ model: 'nano-d', data: 'none', steps: 1, trainable: ['language_model'] }, 'run');
    await expect(Trainer.create(model, run, device)).rejects.toThrow('is quantised and cannot be trained itself');
    model.dispose();
    await device.dispose();
  });
});

describe('a tied head', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it('gets its share of the gradient, and follows the table when settled', async () => {
    const model = await openNano();
    const { weights, config } = model;
    expect(config.llm.tieWordEmbeddings).toBe(true);
    const table = names.embedTokens(config);
    // Nothing moves; the first moment is the gradient.
    const optimizer = { lr: 0, weight_decay: 0, clip: 0, betas: [0, 0] };
    const run = parseRun({ model: 'nano-d', data: 'none', steps: 1, trainable: [table], optimizer }, 'run');
    const trainer = await Trainer.create(model, run, device);
    const { gradNorm } = await trainer.step(0, [[{ plan, image: null }]]);
    const gradient = (await device.read(trainer.tensors[0]!.state['exp_avg']!)).slice();

    const start = (await device.read(inOnePiece(table, weights.embedding(table)).data)).slice();
    const lossAt = async (distance: number) => {
      const moved = start.map((value, i) => value + (distance * gradient[i]!) / gradNorm);
      tf.tidy(() => trainer.tensors[0]!.variable.assign(tf.tensor(moved, trainer.tensors[0]!.variable.shape)));
      trainer.settle();
      const loss = tf.tidy(() => summedLoss(model, [{ plan, features: null }]));
      const value = (await device.read(loss))[0]! / 8;
      loss.dispose();
      return value;
    };
    const slope = ((await lossAt(1e-3)) - (await lossAt(-1e-3))) / 2e-3;
    expect(Math.abs(slope - gradNorm)).toBeLessThan(0.01 * gradNorm);
    trainer.dispose();
    model.dispose();
  });
});

describe('clipping', () => {
  it('shortens a gradient to the limit, and never makes a short one longer', async () => {
    const device = await openBackend('wasm');
    const model = await openNano();
    const table = names.embedTokens(model.config);
    /** Norms of the gradient and of what is left of it: with these betas the first moment. */
    const norms = async (clip: number) => {
      const optimizer = { lr: 0, weight_decay: 0, clip, betas: [0, 0] };
      const trainer = await Trainer.create(
        model,
        parseRun({ model: 'nano-d', data: 'none', steps: 1, trainable: [table], optimizer }, 'run'),
        device,
      );
      const { gradNorm } = await trainer.step(0, [[{ plan, image: null }]]);
      const kept = (await device.read(trainer.tensors[0]!.state['exp_avg']!)).reduce((sum, value) => sum + value * value, 0);
      trainer.dispose();
      return { gradNorm, kept: Math.sqrt(kept) };
    };
    const { gradNorm, kept } = await norms(1e6);
    expect(kept / gradNorm).toBeCloseTo(1, 4);
    expect((await norms(gradNorm / 3)).kept / gradNorm).toBeCloseTo(1 / 3, 4);
    model.dispose();
    await device.dispose();
  });
});

describe('dropout', () => {
  it('zeroes inputs of the adapter in a step alone, and scales those that it keeps', async () => {
    const device = await openBackend('wasm');
    const model = await openNano();
    const lora = { rank: 2, alpha: 4, dropout: 0.25, targets: ['q_proj'] };
    const run = parseRun({ model: 'nano-d', data: 'none', steps: 1, lora }, 'run');
    const trainer = await Trainer.create(model, run, device);
    const update = [...model.weights.updates.values()][0]!.at(-1)!;
    const drop = update.dropout!;
    const kept: number[] = [];
    update.dropout = (x) => {
      const y = drop(x);
      const [before, after] = [x.dataSync(), y.dataSync()];
      after.forEach((value, i) => kept.push(value / before[i]!));
      return y;
    };
    await trainer.step(0, [[{ plan, image: null }]]);
    const zeros = kept.filter((ratio) => ratio === 0).length;
    expect(Math.abs(zeros / kept.length - 0.25)).toBeLessThan(0.05);
    expect(kept.every((ratio) => ratio === 0 || Math.abs(ratio - 1 / 0.75) < 1e-4)).toBe(true);
    const x = tf.ones<Rank.R2>([2, 3]);
    expect(drop(x)).toBe(x);
    x.dispose();
    trainer.dispose();
    model.dispose();
    await device.dispose();
  });
});
