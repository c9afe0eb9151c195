import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseRun } from '../../../training/run-config.ts';
import { ofLength, ofMethod, ofModel, PRESETS } from './presets.ts';
import { readRunFile } from './read-run-file.ts';
import { BOUNDS, checkForm, DEFAULT_FORM, OLD_TASKS_SHARE, toRunFile, type NumberSetting, type RunForm } from './run-form.ts';

const changed: RunForm = {
  ...DEFAULT_FORM,
  method: 'lora',
  blendRatio: 0,
  steps: 321,
  batch: 3,
  accumulate: 2,
  optimizer: 'muon',
  learningRate: 0.003,
  adamwLearningRate: 0.002,
  momentum: 0.9,
  minLearningRate: 0.0001,
  warmup: 7,
  schedule: 'linear',
  beta1: 0.8,
  beta2: 0.99,
  epsilon: 1e-7,
  weightDecay: 0.05,
  clip: 0.5,
  rank: 4,
  alpha: 9,
  dropout: 0.1,
  targets: ['q_proj', 'mlp1.1'],
  init: 'a1',
  baseBits: '4',
  groupSize: '32',
  shuffle: false,
  bucket: true,
  seed: 42,
  textRatio: 0.25,
  maxTiles: 3,
  activationCheckpointing: true,
  pack: true,
  checkpointEvery: 11,
};

const D = { title: 'NVLM-D', crossAttends: false };
const X = { title: 'NVLM-X', crossAttends: true };

describe('run form', () => {
  it('writes what the trainer reads, in every method', () => {
    for (const method of ['lora', 'connector', 'cross-attention', 'decoder'] as const) {
      for (const { steps } of PRESETS) {
        const form = { ...DEFAULT_FORM, ...ofMethod(method, 'muon'), ...ofLength(steps) };
        expect(checkForm(form, X, null)).toEqual({});
        const run = parseRun(toRunFile(form, 'cards'), 'run.json');
        expect(run).toMatchObject({ model: 'nano-d', data: 'cards', steps, optimizer: { lr: form.learningRate } });
        expect(run.lora === null).toBe(method !== 'lora');
      }
    }
  });

  it.each([
    ['lora', 'lora', 0],
    ['lora+old', 'lora', OLD_TASKS_SHARE],
    ['decoder+old', 'decoder', OLD_TASKS_SHARE],
  ] as const)('writes the run file that bench/default-method measured: %s', async (name, method, blendRatio) => {
    const { steps } = PRESETS.find(({ id }) => id === 'teach')!;
    const blendData = blendRatio > 0 ? 'old' : '';
    const form = { ...DEFAULT_FORM, ...ofMethod(method, 'adamw'), ...ofLength(steps), blendRatio, blendData };
    const file = await readFile(new URL(`../../../../bench/methods/${name}.run.json`, import.meta.url), 'utf8');
    expect(toRunFile(form, 'lesson')).toEqual(JSON.parse(file));
  });

  it('starts with what was measured best for bundled models, with an adapter for others, and leaves a choice alone', () => {
    const [bundled, other] = [DEFAULT_FORM.model, { kind: 'url', url: 'https://host/model/' } as const];
    expect({ ...DEFAULT_FORM, ...ofModel(DEFAULT_FORM, bundled) }).toEqual(DEFAULT_FORM);
    const stranger = { ...DEFAULT_FORM, ...ofModel(DEFAULT_FORM, other) };
    expect(stranger).toMatchObject({ model: other, method: 'lora', learningRate: 0.001, blendRatio: 0 });
    expect(ofModel(stranger, bundled)).toMatchObject({ method: 'decoder', learningRate: 0.0003, blendRatio: OLD_TASKS_SHARE });
    expect(ofModel({ ...DEFAULT_FORM, method: 'connector' }, other)).toEqual({ model: other });
    expect(ofModel({ ...stranger, learningRate: 0.002 }, bundled)).toEqual({ model: bundled });
  });

  it('comes back from its own run file', () => {
    const { form, notes } = readRunFile(JSON.stringify(toRunFile(changed, 'cards')), DEFAULT_FORM, ['a1']);
    expect(notes).toEqual([]);
    expect(form).toEqual(changed);
    const full = { ...DEFAULT_FORM, ...ofMethod('connector', 'muon'), blendRatio: 0 };
    expect(readRunFile(JSON.stringify(toRunFile(full, 'cards')), DEFAULT_FORM, []).form).toEqual(full);
  });

  it('has the bounds of the trainer', () => {
    for (const [name, { min, max, key, whole }] of Object.entries(BOUNDS) as [NumberSetting, (typeof BOUNDS)[NumberSetting]][]) {
      if (key === null) continue;
      for (const value of [min, max]) {
        const form = { ...changed, textRatio: 0, minLearningRate: 0, [name]: value };
        expect(() => parseRun(toRunFile(form, 'cards'), 'run.json'), `${name} = ${value}`).not.toThrow();
      }
      const outside = { ...changed, textRatio: 0, [name]: max * 2 + 1 };
      expect(checkForm(outside, D, null)[name], name).toBeTruthy();
      if (whole) expect(checkForm({ ...changed, [name]: min + 0.5 }, D, null)[name], name).toBe('A whole number.');
    }
  });

  it('says beside which control something is wrong', () => {
    const wrong = {
      ...DEFAULT_FORM,
      steps: NaN,
      warmup: 5,
      batch: 0,
      learningRate: 0,
      method: 'cross-attention' as const,
    };
    expect(checkForm(wrong, D, null)).toMatchObject({
      steps: 'Type a number.',
      batch: 'At least 1.',
      learningRate: 'At 0 nothing would be learnt.',
      method: expect.stringContaining('no cross-attention') as string,
    });
    expect(checkForm({ ...DEFAULT_FORM, warmup: 500 }, D, null).warmup).toBe('Longer than the run itself.');
    expect(checkForm({ ...DEFAULT_FORM, textRatio: 0.1, blendRatio: 0.1 }, D, null).textRatio).toContain('not both');
  });

  it('takes what it can from a foreign run file and says what it cannot', () => {
    const file = {
      model: 'org/big',
      data: 'x',
      steps: 'many',
      stage: 'pretrain',
      lora: null,
      text: { data: 'y', ratio: 0.2 },
    };
    const { form, notes } = readRunFile(JSON.stringify(file), DEFAULT_FORM, []);
    expect(form).toMatchObject({ steps: 200, textRatio: 0.2, trainable: ['connector', 'cross_attention'] });
    expect(notes.join(' ')).toMatch(/“steps” is not a number.*text-only.*org\/big/);
  });

  it('packs the base of an adapter alone, and says what of an adapter or a base it cannot take over', () => {
    const run = (form: Partial<RunForm>) => parseRun(toRunFile({ ...changed, ...form }, 'cards'), 'run.json');
    expect(run({})).toMatchObject({ quantize: { bits: 4, groupSize: 32 }, lora: { init: 'a1' } });
    expect(run({ method: 'decoder' })).toMatchObject({ quantize: null, lora: null });
    const file = { steps: 3, lora: { init: '../elsewhere' }, quantize: { bits: 3 } };
    const { form, notes } = readRunFile(JSON.stringify(file), changed, ['a1']);
    expect(form).toMatchObject({ init: '', baseBits: 'stored' });
    expect(notes.join(' ')).toMatch(/adapter that is not in this browser.*neither 4 nor 8/);
    expect(checkForm(changed, D, [{ id: 'a1' }]).init).toBeUndefined();
    expect(checkForm(changed, D, []).init).toContain('not in this browser');
  });

  it.each(['', '[1]', '{}', '{"a":1}', 'null', '"x"', '{"steps":'])('refuses %s', (text) => {
    expect(() => readRunFile(text, DEFAULT_FORM, [])).toThrow('not a run file');
  });
});
