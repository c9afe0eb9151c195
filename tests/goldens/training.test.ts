/**
 * Training against PyTorch: every step's loss and gradient norm, and the tensors after the last step, of D, X and H in
 * every stage; in full on wasm, the first steps on WebGPU.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { openBackend } from '../support/backends.ts';
import { relativeError } from './check.ts';
import { goldenFinal, goldenLog, runGolden, type RunOutcome, type Stage } from './training-run.ts';

const RUNS = ['nvlm-d', 'nvlm-x', 'nvlm-h'].flatMap((name) =>
  (['pretrain', 'sft', 'lora'] as const).map((stage) => [name, stage] as const),
);

/**
 * Most that a step's loss and gradient norm and a trained tensor may be off, relative; a tenth of it or less is measured, but for the
 * tensors of `sft` and `lora`: where a gradient is next to nothing, Adam turns its rounding into steps of full size.
 */
const BOUNDS: Record<Stage, { loss: number; gradNorm: number; tensor: number }> = {
  pretrain: { loss: 1e-5, gradNorm: 1e-4, tensor: 1e-4 },
  lora: { loss: 1e-5, gradNorm: 1e-4, tensor: 1e-3 },
  sft: { loss: 1e-4, gradNorm: 1e-3, tensor: 1e-3 },
};

/** Steps of the traces that the run left. */
async function expectTrace(name: string, stage: Stage, { steps }: RunOutcome, count: number): Promise<void> {
  const log = await goldenLog(name, stage);
  const bounds = BOUNDS[stage];
  expect(steps.length).toBe(count);
  const off = steps.filter(({ step, loss, lr, gradNorm }) => {
    const golden = log[step]!;
    const within = (value: number, wanted: number, bound: number) => Math.abs(value - wanted) <= bound * Math.abs(wanted);
    return !(within(loss, golden.loss, bounds.loss) && within(gradNorm, golden.gradNorm, bounds.gradNorm) && within(lr, golden.lr, 1e-9));
  });
  expect(off.map((step) => ({ ...step, golden: log[step.step] }))).toEqual([]);
}

describe('training on wasm', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it.each(RUNS)('%s %s: 30 steps equal PyTorch', async (name, stage) => {
    const outcome = await runGolden(name, stage, device);
    await expectTrace(name, stage, outcome, 30);
    const trained = outcome.output.checkpoint;
    const final = await goldenFinal(name, stage);
    const off = [...final].flatMap(([tensor, reference]) => {
      const got = trained.get(tensor);
      const error = got ? relativeError(new Float32Array(got.bytes.slice().buffer), reference) : Infinity;
      return error < BOUNDS[stage].tensor ? [] : [{ tensor, error }];
    });
    expect(off).toEqual([]);
    expect([...trained.keys()].filter((tensor) => !tensor.startsWith('optimizer.')).sort()).toEqual([...final.keys()].sort());
  });
});

describe('training on WebGPU', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('webgpu');
  });
  afterAll(() => device.dispose());

  it.each([
    ['nvlm-d', 'lora'],
    ['nvlm-x', 'sft'],
    ['nvlm-h', 'pretrain'],
  ] as const)('%s %s: the first steps equal PyTorch', async (name, stage) => {
    await expectTrace(name, stage, await runFirst(name, stage, device, 2), 2);
  });
});

/** The first steps of a run, under the schedule of the whole run. */
async function runFirst(name: string, stage: Stage, device: Device, count: number): Promise<RunOutcome> {
  const stop = new AbortController();
  return runGolden(
    name,
    stage,
    device,
    {},
    {
      signal: stop.signal,
      onStep: ({ step }) => {
        if (step === count - 1) stop.abort();
      },
    },
  );
}
