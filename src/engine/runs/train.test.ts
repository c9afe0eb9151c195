import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchPeakBytes } from '../../device/peak-bytes.ts';
import { deviceBytes } from '../../device/tensor-memory.ts';
import type { Device } from '../../device/types.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import { RunOutput, runGolden, type Stage } from '../../../tests/goldens/training-run.ts';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { parseRecords } from '../../datasets/llava.ts';
import { readImageFile } from '../../headless/input-files.ts';
import { parseRun, type RunConfig } from '../../training/run-config.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { planExamples } from './plan-examples.ts';
import { openTextSide } from '../chat/text-side.ts';
import { CHECKPOINT, LOG } from './train.ts';
import { longestOf, longestPack, planTraining } from './training-plan.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('wasm');
});
afterAll(() => device.dispose());

function stopAfter(count: number) {
  const stop = new AbortController();
  return { signal: stop.signal, onStep: ({ step }: { step: number }) => step === count - 1 && stop.abort() };
}

const lossesOf = (steps: readonly { loss: number; gradNorm: number }[]) => steps.map(({ loss, gradNorm }) => [loss, gradNorm]);

/** Everything that draws random numbers, at once. */
const RANDOM = { shuffle: true, bucket: true, text: { data: null, ratio: 0.25 }, accumulate: 2, seed: 5, steps: 6 };

describe('resuming', () => {
  it.each(['sft', 'lora'] as const)('%s: stopped and resumed equals never stopped, to the last bit', async (stage) => {
    const lora = stage === 'lora' ? { lora: { rank: 2, alpha: 4, dropout: 0.2, targets: ['q_proj', 'mlp1.3'], init: null } } : {};
    const changes = { ...RANDOM, ...lora };
    const whole = await runGolden('nvlm-h', stage, device, changes);
    const output = new RunOutput();
    const begun = await runGolden('nvlm-h', stage, device, changes, { output, ...stopAfter(3) });
    expect(begun.result).toMatchObject({ interrupted: true, steps: 3 });
    // A line of a step that the checkpoint does not know of is cut off.
    await output.append(LOG, '{"step":3,"loss":99}\n');
    const rest = await runGolden('nvlm-h', stage, device, changes, { output, resume: true });
    expect(rest.result).toMatchObject({ interrupted: false, steps: 6, resumedFrom: 3 });
    expect(lossesOf([...begun.steps, ...rest.steps])).toEqual(lossesOf(whole.steps));
    expect(Buffer.from(output.files.get(CHECKPOINT)!).equals(whole.output.files.get(CHECKPOINT)!)).toBe(true);
    const log = new TextDecoder()
      .decode(output.files.get(LOG))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(log.map((line) => (line as { step: number }).step)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(Object.keys(log[0]!)).toEqual([...['step', 'loss', 'lr', 'gradNorm', 'tokens', 'ms'], ...['gates', 'memoryBytes']]);
  });

  it('refuses the checkpoint of another run, a damaged one and none', async () => {
    const { output } = await runGolden('nvlm-d', 'pretrain', device, { steps: 1 });
    const resume = (changes: object) => runGolden('nvlm-d', 'pretrain', device, changes, { output, resume: true });
    await expect(resume({ steps: 2, seed: 9 })).rejects.toMatchObject({ code: 'usage' });
    output.files.set(CHECKPOINT, output.files.get(CHECKPOINT)!.slice(0, -4));
    await expect(resume({ steps: 2 })).rejects.toMatchObject({ code: 'bad-model' });
    output.files.delete(CHECKPOINT);
    await expect(resume({ steps: 2 })).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('activation checkpointing', () => {
  const lora = { rank: 2, alpha: 4, dropout: 0.3, targets: ['q_proj', 'up_proj', 'v_proj'], init: null };
  const cases: [name: string, stage: Stage, changes: Partial<RunConfig>][] = [
    ['nvlm-h', 'sft', {}],
    ['nvlm-x', 'lora', { lora }],
    ['nvlm-h', 'pretrain', {}],
  ];
  it.each(cases)('%s %s: the same losses and gradients, with less memory', async (name, stage, changes) => {
    const peaks: number[] = [];
    const outcomes = [];
    for (const activationCheckpointing of [false, true]) {
      const watch = watchPeakBytes();
      const run = runGolden(name, stage, device, { ...changes, steps: 3, activationCheckpointing });
      outcomes.push(await run.finally(() => watch.stop()));
      peaks.push(watch.peak);
    }
    const [plain, checkpointed] = outcomes.map(({ steps }) => lossesOf(steps).flat());
    plain!.forEach((value, i) => expect(Math.abs(checkpointed![i]! - value)).toBeLessThan(1e-5 * Math.abs(value)));
    expect(peaks[1]!).toBeLessThan(0.8 * peaks[0]!);
  });
});

describe('a run', () => {
  it('accumulates batches into the gradient of one large batch', async () => {
    const large = await runGolden('nvlm-x', 'sft', device, { batch: 4, steps: 2 });
    const small = await runGolden('nvlm-x', 'sft', device, { batch: 1, accumulate: 4, steps: 2 });
    const [a, b] = [large, small].map(({ steps }) => lossesOf(steps).flat());
    a!.forEach((value, i) => expect(Math.abs(b![i]! - value)).toBeLessThan(1e-4 * Math.abs(value)));
  });

  it('keeps memory flat over 100 steps, the wasm heap too, and frees everything at the end', async () => {
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    const bytes: number[] = [];
    const heap: number[] = [];
    await runGolden(
      'nvlm-h',
      'lora',
      device,
      { batch: 1, steps: 100 },
      {
        onStep: ({ memoryBytes }) => {
          counts.push(tf.memory().numTensors);
          bytes.push(tf.memory().numBytes);
          heap.push(memoryBytes!);
        },
      },
    );
    // The first round through the eight records fills the image cache.
    for (const values of [counts, bytes, heap]) expect(new Set(values.slice(8)).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops at a loss that is no number and keeps the last good checkpoint', async () => {
    const output = new RunOutput();
    const good = await runGolden('nvlm-d', 'sft', device, { steps: 2 }, { output });
    expect(good.result.steps).toBe(2);
    const wild = {
      name: 'adamw' as const,
      lr: 10,
      minLr: 10,
      warmup: 0,
      shape: 'constant' as const,
      betas: [0.9, 0.95] as [number, number],
      eps: 1e-8,
      weightDecay: 0,
      clip: null,
    };
    await expect(runGolden('nvlm-d', 'sft', device, { steps: 50, optimizer: wild }, { output })).rejects.toMatchObject({
      code: 'not-a-number',
      fix: expect.stringContaining('learning rate') as string,
    });
    expect([...output.checkpoint.values()].every(({ bytes }) => new Float32Array(bytes.slice().buffer).every(Number.isFinite))).toBe(true);
  });

  it('writes a checkpoint every so many steps and when cancelled', async () => {
    const output = new RunOutput();
    const written: string[] = [];
    const write = output.write.bind(output);
    output.write = (path, bytes) => (written.push(path), write(path, bytes));
    await runGolden('nvlm-d', 'pretrain', device, { steps: 10, checkpointEvery: 2 }, { output, ...stopAfter(5) });
    expect(written.filter((path) => path === CHECKPOINT)).toHaveLength(3);
  });

  it('lists rows it cannot use and goes on with the rest', async () => {
    const output = new RunOutput();
    const { result } = await runGolden(
      'nvlm-d',
      'pretrain',
      device,
      { steps: 1 },
      {
        output,
        extraRecords: [
          {
            id: 'no-picture',
            image: 'missing.png',
            conversations: [
              { from: 'human', value: 'a' },
              { from: 'gpt', value: 'b' },
            ],
          },
          {
            id: 'too-long',
            conversations: [
              { from: 'human', value: 'word '.repeat(4000) },
              { from: 'gpt', value: 'b' },
            ],
          },
          { id: 'unpaired', conversations: [{ from: 'human', value: 'a' }] },
        ],
      },
    );
    expect(result.records).toBe(8);
    expect(result.problems.map(({ id }) => id).sort()).toEqual(['no-picture', 'too-long', 'unpaired']);
  });

  it('leaves all but the wanted tensors as they are', async () => {
    const { output } = await runGolden('nvlm-h', 'sft', device, { steps: 1, trainable: ['cross_attention'] });
    const names = [...output.checkpoint.keys()].filter((name) => !name.startsWith('optimizer.'));
    expect(names).toHaveLength(12);
    expect(names.every((name) => name.includes('.cross_attn'))).toBe(true);
    await expect(runGolden('nvlm-d', 'sft', device, { steps: 1, trainable: ['cross_attention'] })).rejects.toThrow('nothing to train');
    await expect(runGolden('nvlm-d', 'sft', device, { steps: 1, trainable: ['vision_model.'] })).rejects.toMatchObject({
      fix: expect.stringContaining('stays frozen') as string,
    });
  });
});

const MUON = parseRun({ model: 'm', data: 'd', steps: 1, optimizer: { name: 'muon' } }, 'run').optimizer;

describe('the memory plan', () => {
  const cases: [name: string, stage: Stage, changes: Partial<RunConfig>][] = [
    ['nvlm-d', 'sft', { batch: 4 }],
    ['nvlm-d', 'sft', { batch: 4, activationCheckpointing: true }],
    ['nvlm-x', 'sft', { batch: 4 }],
    ['nvlm-h', 'lora', { batch: 4 }],
    ['nvlm-d', 'sft', { batch: 1, optimizer: MUON }],
  ];
  it.each(cases)('%s %s %o: within 15 % of what tensors take at the peak', async (name, stage, changes) => {
    const folder = goldenFolder(name);
    const file = join(folder, `${stage}.run.json`);
    const run = { ...parseRun(JSON.parse(await readFile(file, 'utf8')), file), steps: 2, ...changes };
    const modelFolder = await openModelFolder(nodeFiles(folder));
    const data = resolve(folder, run.data);
    const { records } = parseRecords(await readFile(data, 'utf8'));
    const readImage = (path: string) => readImageFile(resolve(data, '..', path));
    const { examples } = await planExamples(openTextSide(modelFolder), records, readImage, { maxTiles: null });
    const plan = planTraining(modelFolder, run, longestOf(examples), { backend: 'wasm', features: ['simd'], limits: {} });
    expect(plan.verdict).toBe('fits');

    const before = deviceBytes();
    const watch = watchPeakBytes();
    // Two batches: the longest record is in one of them.
    await runGolden(name, stage, device, { ...changes, steps: 2 }).finally(() => watch.stop());
    const ratio = plan.total / (watch.peak - before);
    expect(ratio).toBeGreaterThan(0.85);
    expect(ratio).toBeLessThan(1.15);
  });
});

describe('packed questions', () => {
  const QUESTIONS = ['What is it?', 'Which colour has it?', 'How many are there, and where?', 'Is there a cat?'];
  const extraRecords = [0, 1, 2, 3, 4, 5].flatMap((picture) =>
    QUESTIONS.map((question, i) => ({
      id: `${picture}-${i}`,
      image: `${picture}.png`,
      conversations: [
        { from: 'human', value: `<image>\n${question}` },
        { from: 'gpt', value: 'a red one'.slice(0, 2 + 2 * i) },
      ],
    })),
  );

  it.each([
    ['nvlm-d', 'sft', {}],
    ['nvlm-h', 'sft', { activationCheckpointing: true }],
    ['nvlm-x', 'lora', {}],
  ] as const)('%s %s: planned within 15 %, every question of a picture in one step, resumed to the last bit', async (name, stage, more) => {
    const folder = goldenFolder(name);
    const changes = { ...more, batch: 2, pack: true, shuffle: true, seed: 3, steps: 3 };
    const file = join(folder, `${stage}.run.json`);
    const run = { ...parseRun(JSON.parse(await readFile(file, 'utf8')), file), ...changes };
    const modelFolder = await openModelFolder(nodeFiles(folder));
    const data = resolve(folder, run.data);
    const { records } = parseRecords(JSON.stringify([...(JSON.parse(await readFile(data, 'utf8')) as object[]), ...extraRecords]));
    const readImage = (path: string) => readImageFile(resolve(data, '..', path));
    const { examples } = await planExamples(openTextSide(modelFolder), records, readImage, { maxTiles: null });
    const plan = planTraining(modelFolder, run, longestPack(examples), { backend: 'wasm', features: ['simd'], limits: {} });
    const before = deviceBytes();
    const watch = watchPeakBytes();
    const whole = await runGolden(name, stage, device, changes, { extraRecords }).finally(() => watch.stop());
    const ratio = plan.total / (watch.peak - before);
    expect(ratio).toBeGreaterThan(0.85);
    expect(ratio).toBeLessThan(1.15);

    const output = new RunOutput();
    await runGolden(name, stage, device, changes, { output, extraRecords, ...stopAfter(1) });
    const rest = await runGolden(name, stage, device, changes, { output, extraRecords, resume: true });
    expect(lossesOf(rest.steps)).toEqual(lossesOf(whole.steps.slice(1)));
    await expect(runGolden(name, stage, device, { ...changes, pack: false }, { output, extraRecords, resume: true })).rejects.toMatchObject(
      { code: 'usage' },
    );
  });
});

describe('the changes that make a run fit', () => {
  it('are the mildest ones, and fit', async () => {
    const folder = await openModelFolder(nodeFiles(goldenFolder('nvlm-d')));
    const longest = { tokens: 600, tiles: 4, labels: 40, pictures: 10 };
    const plan = (batch: number, changes: object = {}) => {
      const run = parseRun({ model: 'm', data: 'd', steps: 1, stage: 'sft', batch, ...changes }, 'run');
      return planTraining(folder, run, longest, { backend: 'wasm', features: ['simd'], limits: {} });
    };
    expect(plan(1)).toMatchObject({ verdict: 'fits', changes: null });
    let batch = 1;
    while (plan(batch).verdict === 'fits') batch *= 2;
    expect(plan(batch)).toMatchObject({ verdict: 'fits-if', changes: { activation_checkpointing: true } });
    while (plan(batch, { activation_checkpointing: true }).verdict === 'fits') batch *= 2;
    const { changes, problems } = plan(batch);
    expect(problems[0]).toContain('wasm can address 4.29 GB');
    expect(changes).toEqual({ activation_checkpointing: true, batch: batch / 2, accumulate: 2 });
    expect(plan(batch, changes!).verdict).toBe('fits');
  });
});
