/**
 * Training with Muon against PyTorch's own `torch.optim.Muon` beside its AdamW (references/muon.py): every step's loss and gradient
 * norm, and tensors after the last step.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { restoreCheckpoint, writeCheckpoint } from '../../src/training/checkpoint.ts';
import { parseRun } from '../../src/training/run-config.ts';
import { Trainer, type TrainingSample } from '../../src/training/trainer.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { openBackend } from '../support/backends.ts';
import { relativeError } from './check.ts';
import { goldenFolder } from './golden-files.ts';

const FOLDER = goldenFolder('text/qwen2');
const STEPS = 30;
const RUN = parseRun(
  {
    model: 'qwen2',
    data: 'windows',
    batch: 2,
    steps: STEPS,
    optimizer: { name: 'muon', lr: 0.02, adamw_lr: 0.002, min_lr: 0.002, warmup: 5, weight_decay: 0.1 },
  },
  'run',
);
const IDENTITY = { settings: 'muon', data: 'windows' };

interface Line {
  loss: number;
  gradNorm: number;
}

async function tensorsOf(name: string): Promise<Map<string, LoadedTensor>> {
  return parseSafetensors(await readFile(join(FOLDER, name)), name);
}

/** Two windows of 24 tokens that wander over the sequence; the first 8 of each are not learnt. */
function batchOf(ids: Int32Array, step: number): TrainingSample[] {
  return [0, 1].map((b) => {
    const start = (7 * (2 * step + b)) % (ids.length - 24);
    const inputIds = ids.slice(start, start + 24);
    const labels = inputIds.map((id, i) => (i < 8 ? -100 : id));
    const none = { sequenceTiles: [], crossTiles: [], crossMask: new Uint8Array(0), crossTagIds: [] };
    return { plan: { inputIds, labels, ...none }, image: null };
  });
}

async function open(device: Device) {
  const model = await loadModel(await openModelFolder(nodeFiles(FOLDER)), { keepHalves: false });
  const trainer = await Trainer.create(model, RUN, device);
  const close = () => {
    trainer.dispose();
    model.dispose();
  };
  return { trainer, close };
}

async function expectTrace(trainer: Trainer, from: number, to: number): Promise<void> {
  const input = (await tensorsOf('forward/0.inputs.safetensors')).get('input_ids')!;
  const ids = new Int32Array(input.bytes.slice().buffer);
  const log = (await readFile(join(FOLDER, 'muon.log.jsonl'), 'utf8')).trimEnd().split('\n');
  for (let step = from; step < to; step++) {
    const golden = JSON.parse(log[step]!) as Line;
    const { loss, gradNorm } = await trainer.step(step, [batchOf(ids, step)]);
    expect(Math.abs(loss - golden.loss), `loss of step ${step}`).toBeLessThan(1e-3 * golden.loss);
    expect(Math.abs(gradNorm - golden.gradNorm), `norm of step ${step}`).toBeLessThan(1e-2 * golden.gradNorm);
  }
}

describe('Muon', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it('equals PyTorch for 30 steps on wasm, through a checkpoint in the middle', async () => {
    const first = await open(device);
    await expectTrace(first.trainer, 0, 12);
    const checkpoint = await writeCheckpoint(first.trainer.tensors, 12, IDENTITY, device);
    first.close();
    const { trainer, close } = await open(device);
    expect(restoreCheckpoint(checkpoint, 'checkpoint', trainer.tensors, IDENTITY)).toBe(12);
    await expectTrace(trainer, 12, STEPS);
    const trained = new Map(trainer.tensors.map((tensor) => [tensor.name, tensor]));
    for (const [name, reference] of await tensorsOf('muon.final.safetensors')) {
      const { variable, transposed } = trained.get(name)!;
      const values = await device.read(transposed ? variable.transpose() : variable);
      expect(relativeError(values, reference), name).toBeLessThan(1e-3);
    }
    close();
  });
});
