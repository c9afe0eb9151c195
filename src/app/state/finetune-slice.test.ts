import { beforeEach, describe, expect, it } from 'vitest';
import type { RunRequest } from '../../engine/runs/training-api.ts';
import { NvlmError } from '../../errors.ts';
import { runWords } from '../finetune/result/run-words.ts';
import { DEFAULT_FORM, toRunFile } from '../finetune/setup/run-form.ts';
import { createPreferences } from '../preferences.ts';
import { createFakeEngine, type FakeEngine } from '../testing/fake-engine.ts';
import { createAppStore, type AppStore } from './app-store.ts';
import { isTraining } from './finetune-slice.ts';

let engine: FakeEngine;
let store: AppStore;
let stored: Map<string, string>;

function makeStore(): AppStore {
  const preferences = createPreferences({
    getItem: (name) => stored.get(name) ?? null,
    setItem: (name, value) => void stored.set(name, value),
  });
  return createAppStore({
    engine,
    preferences,
    convertPicture: async () => null,
    now: () => 0,
  } as unknown as Parameters<typeof createAppStore>[0]);
}

beforeEach(() => {
  engine = createFakeEngine();
  stored = new Map();
  store = makeStore();
});

const state = () => store.getState();

function request(steps = 3): RunRequest {
  return {
    title: 'Cards',
    model: { kind: 'bundled', id: 'nano-d' },
    run: toRunFile({ ...DEFAULT_FORM, steps }, 'cards'),
    sampleEvery: 0,
    samples: 0,
    heldOutEvery: 0,
  };
}

/** Holds the engine before its next step. */
function gate(): () => void {
  let open!: () => void;
  engine.gate = new Promise((resolve) => (open = resolve));
  return () => {
    engine.gate = null;
    open();
  };
}

describe('a run', () => {
  it('comes to its end, with all of its steps on show and its end read out', async () => {
    await state().startRun(request(5));
    expect(state().liveRun).toMatchObject({ activity: 'none', error: null, summary: { state: 'finished', step: 5 } });
    expect(state().liveRun!.history.steps).toEqual([1, 2, 3, 4, 5]);
    expect(state().runs).toHaveLength(1);
    expect(state().announcement).toBe('The run is finished.');
  });

  it('is known by its id before its first step, and there is one at a time', async () => {
    const open = gate();
    const done = state().startRun(request());
    await expect.poll(() => state().liveRun?.summary?.id).toBe('run-1');
    expect(isTraining(state())).toBe(true);
    await state().startRun(request());
    expect(engine.runRecords.size).toBe(1);
    open();
    await done;
    expect(isTraining(state())).toBe(false);
  });

  it('costs the loaded model, which the next question loads again', async () => {
    await state().ensureModel();
    await state().startRun(request());
    expect(state().loadedModel).toBeNull();
    await state().ask('Read everything.');
    expect(engine.loads).toEqual(['nano-d', 'nano-d']);
  });

  it('is drawn a few times a second, however many steps it does', async () => {
    let drawn = 0;
    const stop = store.subscribe((now, before) => {
      if (now.liveRun !== before.liveRun) drawn++;
    });
    await state().startRun(request(500));
    stop();
    expect(state().liveRun!.history.length).toBe(500);
    expect(drawn).toBeLessThan(20);
  });

  it('pauses at a step and goes on from there', async () => {
    const open = gate();
    const done = state().startRun(request(4));
    await expect.poll(() => state().liveRun?.summary?.id).toBe('run-1');
    state().pauseRun();
    expect(state().liveRun!.activity).toBe('pausing');
    await done;
    expect(state().liveRun).toMatchObject({ activity: 'none', error: null, summary: { state: 'paused' } });
    open();
    await state().resumeRun('run-1');
    expect(state().liveRun).toMatchObject({ summary: { state: 'finished', step: 4 } });
    expect(state().liveRun!.history.steps).toEqual([1, 2, 3, 4]);
  });

  it('is told by its last step while it goes on, and by what is kept of it elsewhere', async () => {
    const open = gate();
    const words = () => state().runs?.map((run) => runWords(run, state().liveRun));
    const done = state().startRun(request(4));
    await expect.poll(words).toEqual(['running · 0 of 4 steps']);
    // The list is of the last checkpoint.
    state().liveRun!.history.addStep({ step: 1, loss: 1, lr: 1, gradNorm: 1, tokens: 1, ms: 1 });
    expect(words()).toEqual(['running · 2 of 4 steps']);
    const [summary] = state().runs!;
    expect(runWords(summary!, null)).toBe('running in another tab · 0 of 4 steps kept');
    state().pauseRun();
    expect(words()).toEqual(['pausing · 2 of 4 steps']);
    open();
    await done;
    expect(words()).toEqual(['paused after 0 of 4 steps']);
    await state().resumeRun('run-1');
    expect(words()).toEqual(['finished after 4 of 4 steps']);
  });

  it('that fails says why and keeps what it did', async () => {
    engine.failNext.startRun = new NvlmError('bad-data', 'No record can be used.', 'Give others.');
    await state().startRun(request());
    expect(state().liveRun).toMatchObject({ activity: 'none', error: { code: 'bad-data', fix: 'Give others.' } });
    expect(isTraining(state())).toBe(false);
  });

  it('of an earlier visit is read with its course, and can be renamed and deleted', async () => {
    await state().startRun(request());
    store = makeStore();
    await state().refreshRuns();
    await state().openRun('run-1');
    expect(state().storedRun).toMatchObject({ activity: 'none', summary: { id: 'run-1' } });
    expect(state().storedRun!.history.length).toBe(3);
    await state().renameRun('run-1', 'Better name');
    expect(state().runs![0]!.title).toBe('Better name');
    await state().deleteRun('run-1');
    expect(state()).toMatchObject({ runs: [], storedRun: null });
  });

  it('that is not there leaves an error beside the list', async () => {
    await state().openRun('gone');
    expect(state()).toMatchObject({ storedRun: null, runsError: { code: 'not-found' } });
  });
});

describe('settings of a run', () => {
  it('outlive the page', () => {
    state().changeRunForm({ steps: 77, method: 'decoder' });
    store = makeStore();
    expect(state().runForm).toEqual({ ...DEFAULT_FORM, steps: 77, method: 'decoder' });
  });

  it.each([
    '{"steps":"7"}',
    '{"targets":{}}',
    '{"constructor":1}',
    '[1]',
    '{',
    '{"model":null}',
    '{"method":"magic"}',
    '{"baseBits":"3"}',
    '{"groupSize":"63"}',
    '{"model":{}}',
  ])('are dropped when %s is stored', (json) => {
    stored.set('nvlm.run', json);
    store = makeStore();
    expect(state().runForm).toEqual(DEFAULT_FORM);
  });
});
