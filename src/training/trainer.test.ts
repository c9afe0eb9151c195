import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import type { Device } from '../device/types.ts';
import { openFiles } from '../headless/node-platform.ts';
import { loadModel } from '../nvlm/load-model.ts';
import { names } from '../nvlm/names.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { summedLoss } from './loss.ts';
import { parseRun } from './run-config.ts';
import { Trainer } from './trainer.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('wasm');
});
afterAll(() => device.dispose());

const inputIds = Int32Array.from({ length: 12 }, (_, i) => 20 + i);
const plan = {
  inputIds,
  labels: inputIds.map((id, i) => (i < 4 ? -100 : id)),
  sequenceTiles: [],
  crossTiles: [],
  crossMask: new Uint8Array(0),
  crossTagIds: [],
};

describe('a tied head', () => {
  it('gets its share of the gradient, and follows the table when settled', async () => {
    const model = await loadModel(await openModelFolder(await openFiles({ kind: 'bundled', id: 'nano-d' })), { keepHalves: false });
    const { weights, config } = model;
    expect(config.llm.tieWordEmbeddings).toBe(true);
    const table = names.embedTokens(config);
    // Nothing moves; the first moment is the gradient.
    const optimizer = { lr: 0, weight_decay: 0, clip: 0, betas: [0, 0] };
    const run = parseRun({ model: 'nano-d', data: 'none', steps: 1, trainable: [table], optimizer }, 'run');
    const trainer = await Trainer.create(model, run, device);
    const { gradNorm } = await trainer.step(0, [[{ plan, image: null }]]);
    const gradient = (await device.read(trainer.tensors[0]!.first)).slice();

    const start = (await device.read(weights.embedding(table).data)).slice();
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
