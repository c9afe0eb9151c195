import { describe, expect, it } from 'vitest';
import type { RunSample, RunStep } from '../../../engine/runs/training-api.ts';
import { decimate } from './decimate.ts';
import { RunHistory } from './run-history.ts';
import { pairSamples } from './sample-pairs.ts';

const step = (index: number, loss: number, more: Partial<RunStep> = {}): RunStep => ({
  step: index,
  loss,
  lr: 0.001,
  gradNorm: 1,
  tokens: 50,
  ms: 100,
  ...more,
});

describe('history of a run', () => {
  it('counts steps from 1, smooths without a bias to 0 and knows its speed', () => {
    const history = RunHistory.of([step(0, 4), step(1, 4), step(2, 4)], []);
    expect(history.steps).toEqual([1, 2, 3]);
    for (const value of history.smooth) expect(value).toBeCloseTo(4, 12);
    expect(history.tokensPerSecond).toEqual([500, 500, 500]);
  });

  it('replaces the steps that a resumed run does again, and is then as if it had never stopped', () => {
    const log = Array.from({ length: 30 }, (_, i) => step(i, 5 / (i + 1), i % 10 === 9 ? { heldOutLoss: 9 - i / 10 } : {}));
    const whole = RunHistory.of(log, []);
    const torn = RunHistory.of(
      log.slice(0, 17).map((one) => (one.step < 10 ? one : { ...one, loss: 99 })),
      [],
    );
    for (const one of log.slice(10)) torn.addStep(one);
    expect(torn.steps).toEqual(whole.steps);
    expect(torn.loss).toEqual(whole.loss);
    expect(torn.heldOut).toEqual(whole.heldOut);
    torn.smooth.forEach((value, i) => expect(value).toBeCloseTo(whole.smooth[i]!, 10));
  });

  it('finds the lowest held-out loss', () => {
    const history = RunHistory.of(
      [step(0, 1, { heldOutLoss: 3 }), step(1, 1), step(2, 1, { heldOutLoss: 2 }), step(3, 1, { heldOutLoss: 2.5 })],
      [],
    );
    expect(history.bestHeldOut()).toEqual({ step: 3, loss: 2 });
    expect(RunHistory.of([step(0, 1)], []).bestHeldOut()).toBeNull();
  });

  it('keeps a column a gate, also where the first steps have none', () => {
    const history = RunHistory.of([step(0, 1), step(1, 1, { gates: [0.1, 0.2] }), step(2, 1, { gates: [0.3, 0.4] })], []);
    expect(history.gates).toEqual([
      [null, 0.1, 0.3],
      [null, 0.2, 0.4],
    ]);
  });
});

describe('samples', () => {
  const sample = (at: number, record: string, answer: string): RunSample => ({
    step: at,
    record,
    question: 'What is it?',
    picture: null,
    expected: 'a star',
    answer,
  });

  it('stand beside each other: base and tuned, at any step', () => {
    const history = RunHistory.of([], [sample(0, 'a', 'a cat'), sample(5, 'a', 'a sta'), sample(10, 'a', 'a star'), sample(0, 'b', 'x')]);
    expect(history.sampleSteps()).toEqual([0, 5, 10]);
    expect(pairSamples(history.samples, null)).toMatchObject([
      { record: 'a', base: 'a cat', tuned: 'a star' },
      { record: 'b', base: 'x', tuned: null },
    ]);
    expect(pairSamples(history.samples, 5)[0]).toMatchObject({ base: 'a cat', tuned: 'a sta' });
  });

  it('that are asked again replace what was answered before', () => {
    const history = RunHistory.of([], [sample(5, 'a', 'old'), sample(5, 'a', 'new')]);
    expect(history.samples.map(({ answer }) => answer)).toEqual(['new']);
  });
});

describe('decimate', () => {
  it('leaves few values alone', () => {
    expect(decimate([3, 1, 2], 10)).toEqual([0, 1, 2]);
  });

  it('keeps every spike, both ends and what must be kept, in order', () => {
    const values = Array.from({ length: 10_000 }, (_, i) => Math.sin(i / 300));
    values[5003] = 50;
    values[7001] = -50;
    const chosen = decimate(values, 100, [4242]);
    expect(chosen.length).toBeLessThanOrEqual(203);
    for (const index of [0, 9999, 5003, 7001, 4242]) expect(chosen).toContain(index);
    expect([...chosen].sort((a, b) => a - b)).toEqual(chosen);
  });
});
