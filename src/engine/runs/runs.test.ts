import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../../tests/cli/run-cli.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { nodeFolder } from '../../files/node-folder.ts';
import { nodeEnginePlatform } from '../../headless/node-platform.ts';
import { NvlmModel } from '../../nvlm/model.ts';
import type { Engine } from '../api.ts';
import { createEngine } from '../engine.ts';
import type { RunEvent, RunRequest, RunStep } from './training-api.ts';

const goldens = fileURLToPath(new URL('../../../tests/fixtures/goldens/', import.meta.url));

interface Row {
  id: string;
  image?: string;
  held_out?: boolean;
}

let files: MemoryFolder;
let engine: Engine;
let heldOut: string[];

beforeAll(async () => {
  files = new MemoryFolder();
  const rows = JSON.parse(await readFile(join(goldens, 'data/data.json'), 'utf8')) as Row[];
  rows.slice(0, 2).forEach((row) => (row.held_out = true));
  heldOut = rows.slice(0, 2).map(({ id }) => id);
  await files.write('datasets/shapes/data.json', new TextEncoder().encode(JSON.stringify(rows)));
  for (const { image } of rows) if (image) await files.write(`datasets/shapes/${image}`, await readFile(join(goldens, 'data', image)));
  engine = createEngine(nodeEnginePlatform(files));
  await engine.openDevice('wasm');
});
afterAll(() => engine.dispose());

function request(changes: Record<string, unknown> = {}): RunRequest {
  const lora = { rank: 2, alpha: 4, dropout: 0.2, targets: ['q_proj', 'mlp1.3'] };
  return {
    title: 'Shapes',
    model: { kind: 'folder', path: join(goldens, 'nvlm-h') },
    run: { data: 'shapes', lora, batch: 1, accumulate: 2, steps: 4, seed: 5, checkpoint_every: 2, ...changes },
    sampleEvery: 2,
    samples: 1,
    heldOutEvery: 2,
  };
}

/** Pauses after so many steps of this call. */
function pauseAfter(count: number) {
  const stop = new AbortController();
  let seen = 0;
  const onEvent = ({ type }: RunEvent) => type === 'step' && ++seen === count && stop.abort();
  return { signal: stop.signal, onEvent };
}

const measured = (log: readonly RunStep[]) =>
  log.map(({ step, loss, gradNorm, heldOutLoss, gates }) => [step, loss, gradNorm, heldOutLoss, gates]);

describe('a run', () => {
  it('paused and resumed, or carried to the command line and back, equals one that was never stopped', async () => {
    const events: RunEvent[] = [];
    const whole = await engine.startRun(request(), { onEvent: (event) => events.push(event) });
    expect(whole).toMatchObject({ state: 'finished', step: 4, steps: 4, result: 'adapter', note: null });
    const expected = await engine.readRun(whole.id);
    expect(events[0]).toMatchObject({ type: 'run', summary: { id: whole.id, state: 'running' } });
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(4);
    expect(expected.log.map(({ heldOutLoss }) => heldOutLoss !== undefined)).toEqual([false, true, false, true]);
    expect(expected.log.every(({ gates, memoryBytes }) => gates?.length === 2 && memoryBytes! > 0)).toBe(true);
    expect(expected.samples.map(({ step, record }) => [step, record])).toEqual([0, 2, 4].map((n) => [n, heldOut[0]]));
    const stages = events.flatMap((event) => (event.type === 'stage' ? [event.stage] : []));
    expect([...new Set(stages)]).toEqual(['load', 'data', 'baseline', 'train', 'samples', 'save']);

    const paused = await engine.startRun(request(), pauseAfter(3));
    expect(paused).toMatchObject({ state: 'paused', step: 3, result: null });
    const exported = await engine.exportRun(paused.id, 'run');
    const resumed = await engine.resumeRun(paused.id);
    expect(resumed).toMatchObject({ state: 'finished', step: 4 });
    const again = await engine.readRun(paused.id);
    expect(measured(again.log)).toEqual(measured(expected.log));
    expect(again.samples).toEqual(expected.samples);

    const place = await mkdtemp(join(tmpdir(), 'nvlm-run-'));
    try {
      const folder = nodeFolder(place);
      for (const { path, bytes } of exported) await folder.write(path, bytes);
      const { code, stderr } = await runCli(['train', '--config', join(place, 'run.json'), '--resume', '--backend', 'wasm']);
      expect(stderr).toContain('step 4 of 4');
      expect(code).toBe(0);
      const back = await Promise.all(
        (await folder.list()).map(async ({ path }) => ({ path: `run/${path}`, bytes: (await folder.read(path))! })),
      );
      const imported = await engine.importRun(back);
      expect(imported).toMatchObject({ title: 'Shapes', state: 'finished', step: 4, result: 'adapter' });
      const record = await engine.readRun(imported.id);
      expect(measured(record.log)).toEqual(measured(expected.log));
      expect(record.samples).toEqual(expected.samples);
      // The dataset is the one that is here already.
      expect(record.summary.request.run['data']).toBe('shapes');
      await files.remove('datasets/shapes/data.json');
      const carried = await engine.importRun(back);
      await files.write('datasets/shapes/data.json', exported.find(({ path }) => path === 'data/data.json')!.bytes);
      expect(carried.request.run['data']).toBe(`runs/${carried.id}/data`);
      expect(await engine.resumeRun(carried.id, { changes: { steps: 5 } })).toMatchObject({ step: 5 });
      const longer = await engine.resumeRun(imported.id, { changes: { steps: 5 } });
      expect(longer).toMatchObject({ state: 'finished', step: 5 });
    } finally {
      await rm(place, { recursive: true });
    }
  });

  it('has the device to itself: chat says so, looking at pictures and plans goes on', async () => {
    let during: Promise<unknown>[] = [];
    const stop = new AbortController();
    await engine.startRun(request(), {
      signal: stop.signal,
      onEvent: ({ type }) => {
        if (type !== 'step' || during.length > 0) return;
        const ask = { messages: [{ role: 'user' as const, content: 'Hi' }], image: null, sampling: { temperature: 0 }, maxNewTokens: 1 };
        during = [
          engine.chat(ask).catch((error: unknown) => error),
          engine.startRun(request()).catch((error: unknown) => error),
          engine.planRun(request()),
          engine.models(),
        ];
        void Promise.all(during).then(() => stop.abort());
      },
    });
    const [chat, other, plan] = await Promise.all(during);
    expect(chat).toMatchObject({ code: 'busy', fix: 'Pause the run first.' });
    expect(other).toMatchObject({ code: 'busy' });
    expect(plan).toMatchObject({ verdict: 'fits', changes: null });
    await engine.load({ kind: 'folder', path: join(goldens, 'nvlm-h') });
    await engine.unload();
  });

  it('that diverges fails with its last good checkpoint, and goes on with a lower rate', async () => {
    const wild = { lr: 10, schedule: 'constant', weight_decay: 0, clip: 0 };
    const run = { stage: 'sft', lora: undefined, steps: 60, checkpoint_every: 1, optimizer: wild };
    const quiet = { ...request(run), sampleEvery: 0, heldOutEvery: 0 };
    await expect(engine.startRun(quiet)).rejects.toMatchObject({ code: 'not-a-number' });
    const [failed] = await engine.runs();
    expect(failed).toMatchObject({ state: 'failed', note: expect.stringContaining('learning rate') as string });
    expect(failed!.step).toBeGreaterThan(0);
    const steps = failed!.step + 1;
    const changes = { steps, optimizer: { ...wild, lr: 1e-6 } };
    const outcome = await engine.resumeRun(failed!.id, { changes });
    expect(outcome).toMatchObject({ state: 'finished', step: steps, result: 'model' });
    const tuned = (await engine.models()).find(({ id }) => id === `run:${failed!.id}`);
    expect(tuned).toMatchObject({ source: { kind: 'run' }, loaded: false, storage: 'files' });
    const model = await engine.exportRun(failed!.id, 'model');
    expect(model.map(({ path }) => path)).toContain('model.safetensors');
    await engine.deleteRun(failed!.id);
    await expect(engine.readRun(failed!.id)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('whose tab died stands paused, says why, and never trains on what is held out', async () => {
    const paused = await engine.startRun(request(), pauseAfter(2));
    const state = `runs/${paused.id}/state.json`;
    const stored = JSON.parse(new TextDecoder().decode((await files.read(state))!)) as object;
    await files.write(state, new TextEncoder().encode(JSON.stringify({ ...stored, state: 'running' })));
    const found = (await engine.runs()).find(({ id }) => id === paused.id);
    expect(found).toMatchObject({ state: 'paused', step: 2, note: expect.stringContaining('last checkpoint') as string });
    const renamed = await engine.renameRun(paused.id, 'Mine');
    expect(renamed.title).toBe('Mine');

    const rows = JSON.parse(new TextDecoder().decode((await files.read('datasets/shapes/data.json'))!)) as Row[];
    const all = rows.map((row) => ({ ...row, held_out: true }));
    await files.write('datasets/none/data.json', new TextEncoder().encode(JSON.stringify(all)));
    await expect(engine.startRun(request({ data: 'none' }))).rejects.toMatchObject({ code: 'bad-data' });
    await expect(engine.importRun([{ path: 'x.txt', bytes: new Uint8Array(1) }])).rejects.toMatchObject({
      code: 'bad-data',
    });
  });

  it('leaves its pictures’ features to the next one, as the encoder would make them; with the last run they go', async () => {
    const encoded = vi.spyOn(NvlmModel.prototype, 'encodeImage');
    for (const { id } of await engine.runs()) await engine.deleteRun(id);
    expect(await files.list('features')).toEqual([]);
    const first = await engine.startRun(request());
    const calls = encoded.mock.calls.length;
    expect(calls).toBeGreaterThan(2);
    const next = await engine.startRun(request());
    // One tile tells that the encoder is the same.
    expect(encoded.mock.calls.length - calls).toBe(1);
    const [one, two] = await Promise.all([engine.readRun(first.id), engine.readRun(next.id)]);
    expect(measured(two.log)).toEqual(measured(one.log));
    expect(two.samples).toEqual(one.samples);
    encoded.mockRestore();
    await engine.deleteRun(first.id);
    expect(await files.list('features')).not.toEqual([]);
    await engine.deleteRun(next.id);
    expect(await files.list('features')).toEqual([]);
  });
});
