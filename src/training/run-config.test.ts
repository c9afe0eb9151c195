import { describe, expect, it } from 'vitest';
import { parseRun } from './run-config.ts';

const least = { model: 'nano-d', data: 'data.json', steps: 10 };

describe('parseRun', () => {
  it('fills in what a short run file leaves out', () => {
    expect(parseRun(least, 'run.json')).toMatchObject({
      stage: 'sft',
      lora: null,
      batch: 1,
      accumulate: 1,
      shuffle: true,
      optimizer: {
        name: 'adamw',
        lr: 1e-4,
        minLr: 0,
        warmup: 0,
        shape: 'cosine',
        betas: [0.9, 0.95],
        eps: 1e-8,
        weightDecay: 0.1,
        clip: 1,
      },
    });
    expect(parseRun({ ...least, lora: {} }, 'run.json').lora).toMatchObject({
      rank: 8,
      alpha: 16,
      dropout: 0,
      init: null,
    });
    expect(parseRun({ ...least, lora: {}, quantize: { bits: 4 } }, 'run.json').quantize).toEqual({ bits: 4, groupSize: 64 });
    const muon = parseRun({ ...least, optimizer: { name: 'muon', lr: 0.02 } }, 'run.json').optimizer;
    expect(muon).toMatchObject({ name: 'muon', lr: 0.02, adamwLr: 0.002, momentum: 0.95 });
    expect(parseRun({ ...least, optimizer: { clip: 0 } }, 'run.json').optimizer.clip).toBeNull();
  });

  it.each([
    [null, 'not a JSON object'],
    [[], 'not a JSON object'],
    [{}, '"model" is missing'],
    [{ ...least, steps: 0 }, '"steps" is not a number from 1'],
    [{ ...least, steps: 1.5 }, '"steps" is not a whole number'],
    [{ ...least, steps: '10' }, '"steps" is not a number'],
    [{ ...least, stage: 'rlhf' }, '"stage" is not one of pretrain, sft'],
    [{ ...least, batch: 1e9 }, '"batch" is not a number from 1 to 4096'],
    [{ ...least, trainable: [] }, '"trainable" is not a list'],
    [{ ...least, shuffle: 1 }, '"shuffle" is not true or false'],
    [{ ...least, optimizer: { betas: [0.9, 1] } }, '"betas" is not two numbers'],
    [{ ...least, optimizer: { momentum: 0.9 } }, 'run.json: optimizer: there is no key "momentum"'],
    [{ ...least, optimizer: { name: 'sgd' } }, '"name" is not one of adamw, muon'],
    [{ ...least, optimizer: { name: 'muon', momentum: 1 } }, '"momentum" is not a number from 0 to 0.9999'],
    [{ ...least, lora: 4 }, 'run.json: lora is not a JSON object'],
    [{ ...least, lora: {}, trainable: ['connector'] }, 'a LoRA run trains its adapter alone'],
    [{ ...least, quantize: { bits: 4 } }, 'packed ones cannot be trained themselves'],
    [{ ...least, lora: {}, quantize: {} }, 'run.json: quantize: "bits" is missing'],
    [{ ...least, lora: {}, quantize: { bits: 3 } }, '"bits" is not one of 4, 8'],
    [{ ...least, lora: {}, quantize: { bits: 4, group_size: 48 } }, '"group_size" is not one of 32, 64, 128'],
    [{ ...least, text: { ratio: 1 } }, '"ratio" is not a number from 0 to 0.99'],
    [{ ...least, blend: { ratio: 0.5 } }, '"data" is missing'],
    [{ ...least, blend: { data: 'old', ratio: 0.5 }, text: { ratio: 0.1 } }, '"text" and "blend" both'],
    [JSON.parse('{"model":"m","data":"d","steps":1,"__proto__":{"a":1}}'), 'no key "__proto__"'],
  ])('refuses %j', (json, message) => {
    expect(() => parseRun(json, 'run.json')).toThrow(message);
  });
});
