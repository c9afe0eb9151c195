/** What a run starts from and goes on with: its base, its adapter, its data, and whether they are still the same. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../tests/cli/run-cli.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { nodeFolder } from '../../files/node-folder.ts';
import { nodeEnginePlatform } from '../../headless/node-platform.ts';
import { isQuantizable } from '../../nvlm/checkpoint-layout.ts';
import { parseConfig } from '../../nvlm/parse-config.ts';
import { parameterSpecs } from '../../nvlm/names.ts';
import { unpackAffine } from '../../ops/affine.ts';
import { blobFiles, type PickedFile } from '../../weights/blob-files.ts';
import { quantizedRows, quantizeGroups } from '../../weights/quantize.ts';
import { toF32 } from '../../weights/dtype.ts';
import { parseSafetensors, writeSafetensors } from '../../weights/safetensors.ts';
import type { Engine, ModelSource } from '../api.ts';
import { createEngine } from '../engine.ts';
import type { EnginePlatform } from '../platform.ts';
import type { RunEvent, RunRequest } from './training-api.ts';

const goldens = fileURLToPath(new URL('../../../tests/fixtures/goldens/', import.meta.url));
const golden: ModelSource = { kind: 'folder', path: join(goldens, 'nvlm-d') };
const QUANTIZE = { bits: 4, group_size: 32 } as const;

let files: MemoryFolder;
let engine: Engine;
let place: string;

interface Row {
  id: string;
  image?: string;
  held_out?: boolean;
  conversations: { value: string }[];
}

/** A page: what it has opened is gone when it is loaded again, its storage is not. */
function openPage(): Engine {
  const platform = nodeEnginePlatform(files);
  const openFiles: EnginePlatform['openFiles'] = async (source, options) =>
    source.kind === 'files' ? blobFiles(source.files, source.name) : platform.openFiles(source, options);
  return createEngine({ ...platform, openFiles });
}

async function writeRows(id: string, rows: readonly Row[]): Promise<void> {
  await files.write(`datasets/${id}/data.json`, new TextEncoder().encode(JSON.stringify(rows)));
  for (const { image } of rows) if (image) await files.write(`datasets/${id}/${image}`, await readFile(join(goldens, 'data', image)));
}

let rows: Row[];
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'nvlm-start-'));
  files = new MemoryFolder();
  const all = JSON.parse(await readFile(join(goldens, 'data/data.json'), 'utf8')) as Row[];
  rows = all.filter(({ id }) => ['0', '6', '7'].includes(id));
  rows[2]!.held_out = true;
  await writeRows('shapes', rows);
  engine = openPage();
  await engine.openDevice('wasm');
});
afterAll(async () => {
  await engine.dispose();
  await rm(place, { recursive: true });
});

function request(changes: Record<string, unknown> = {}, model: ModelSource = golden): RunRequest {
  const lora = { rank: 2, alpha: 4, targets: ['q_proj', 'up_proj'] };
  const optimizer = { lr: 0.01, schedule: 'constant' };
  const run = { data: 'shapes', lora, optimizer, batch: 1, steps: 4, seed: 5, checkpoint_every: 50, ...changes };
  return { title: 'Shapes', model, run, sampleEvery: 0, samples: 0, heldOutEvery: 2 };
}

function pauseAfter(count: number) {
  const stop = new AbortController();
  let seen = 0;
  const onEvent = ({ type }: RunEvent) => type === 'step' && ++seen === count && stop.abort();
  return { signal: stop.signal, onEvent };
}

async function lossesOf(id: string): Promise<unknown[]> {
  return (await engine.readRun(id)).log.map(({ loss, heldOutLoss }) => [loss, heldOutLoss]);
}

/** The golden model with its language model rounded to 4 bits and written as floats again. */
async function roundedByHand(): Promise<string> {
  const to = nodeFolder(join(place, 'rounded'));
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    await to.write(name, await readFile(join(goldens, 'nvlm-d', name)));
  const config = parseConfig(JSON.parse(await readFile(join(goldens, 'nvlm-d/config.json'), 'utf8')));
  const packed = new Set(parameterSpecs(config).flatMap((spec) => (isQuantizable(spec, QUANTIZE.group_size) ? [spec.name] : [])));
  expect(packed.size).toBeGreaterThan(20);
  const tensors = parseSafetensors(await readFile(join(goldens, 'nvlm-d/model.safetensors')), 'model');
  const written = [...tensors].map(([name, { dtype, shape, bytes }]) => {
    const values = toF32(dtype, bytes)!;
    if (!packed.has(name)) return { name, shape, dtype: 'F32' as const, data: values };
    const out = quantizedRows(shape[0]!, shape[1]!, QUANTIZE.bits, QUANTIZE.group_size);
    quantizeGroups(values, QUANTIZE.bits, QUANTIZE.group_size, out, 0);
    return { name, shape, dtype: 'F32' as const, data: unpackAffine(out, QUANTIZE.bits, QUANTIZE.group_size) };
  });
  await to.write('model.safetensors', writeSafetensors(written));
  return join(place, 'rounded');
}

describe('a run on a packed base', () => {
  it('learns what it would on the same base rounded by hand; goes on in Node; its adapter fits the plain one', async () => {
    const byHand = await engine.startRun(request({}, { kind: 'folder', path: await roundedByHand() }));
    const plain = await engine.startRun(request({ steps: 1 }));
    const packed = await engine.startRun(request({ quantize: QUANTIZE }));
    const expected = await lossesOf(byHand.id);
    // Packed numbers are multiplied by kernels of their own, which add up in another order.
    const own = await lossesOf(packed.id);
    expect(own).toHaveLength(expected.length);
    const flat = (losses: unknown[]) => (losses as (number | undefined)[][]).flat().map((loss) => loss ?? 0);
    for (const [i, loss] of flat(own).entries()) expect(Math.abs(loss - flat(expected)[i]!)).toBeLessThan(1e-6 * Math.max(1, loss));
    expect((await lossesOf(plain.id))[0]).not.toEqual(expected[0]);

    const paused = await engine.startRun(request({ quantize: QUANTIZE }), pauseAfter(2));
    const folder = nodeFolder(join(place, 'run'));
    for (const { path, bytes } of await engine.exportRun(paused.id, 'run')) await folder.write(path, bytes);
    const cli = await runCli(['train', '--config', join(place, 'run/run.json'), '--resume', '--backend', 'wasm']);
    expect(cli).toMatchObject({ code: 0, stdout: expect.stringContaining('from step 2') as string });
    const back = await Promise.all((await folder.list()).map(async ({ path }) => ({ path, bytes: (await folder.read(path))! })));
    expect(await lossesOf((await engine.importRun(back)).id)).toEqual(own);
    // Another base is another run.
    await expect(engine.resumeRun(paused.id, { changes: { quantize: null } as object })).rejects.toMatchObject({ code: 'usage' });

    await engine.load(golden);
    expect(await engine.adapters()).toContainEqual(expect.objectContaining({ id: packed.id, misfit: null }));
    const ask = { messages: [{ role: 'user' as const, content: 'Read the code 66' }], image: null, maxNewTokens: 1 };
    await engine.chat({ ...ask, sampling: { temperature: 0 }, adapters: [{ id: packed.id, strength: 1 }] });
    await engine.unload();
  });

  it('is planned with what packing saves, and refused without an adapter', async () => {
    const plan = await engine.planRun(request({ quantize: QUANTIZE }));
    const { weights } = await engine.planRun(request());
    expect(plan.weights).toBeLessThan(weights / 2);
    expect(plan.notes).toEqual([]);
    const full = request({ quantize: QUANTIZE, lora: undefined });
    await expect(engine.startRun(full)).rejects.toMatchObject({ code: 'usage', fix: expect.stringContaining('lora') as string });
    const before = (await engine.runs()).length;
    await expect(engine.planRun(full)).rejects.toMatchObject({ code: 'usage' });
    expect(await engine.runs()).toHaveLength(before);
  });
});

describe('a run from an adapter of the browser', () => {
  it('begins where that one ended, with its rank and scale, and goes on when it is gone', async () => {
    const first = await engine.startRun(request());
    const [, last] = (await lossesOf(first.id)).at(-1) as [number, number];
    const lora = { rank: 7, alpha: 1, targets: ['k_proj'], init: first.id };
    const still = { lora, steps: 2, optimizer: { lr: 0 } };
    expect((await engine.planRun(request(still))).trainedParameters).toBe((await engine.planRun(request())).trainedParameters);
    const next = await engine.startRun(request(still));
    expect((await lossesOf(next.id)).at(-1)).toMatchObject([expect.any(Number), last]);
    const [before, after] = [await adapterOf(first.id), await adapterOf(next.id)];
    expect(after.weights).toEqual(before.weights);
    expect(after.config).toEqual({ ...before.config, target_modules: ['mlp.up_proj', 'self_attn.q_proj'] });

    await engine.deleteRun(first.id);
    const carried = await engine.importRun(await engine.exportRun(next.id, 'run'));
    await engine.deleteRun(next.id);
    expect(await engine.resumeRun(carried.id, { changes: { steps: 3 } })).toMatchObject({ state: 'finished', step: 3 });
    await expect(engine.startRun(request(still))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('keeps ranks and scales that differ by module', async () => {
    const first = await engine.startRun(request({ steps: 1 }));
    const { config, weights } = await adapterOf(first.id);
    const tensors = [...parseSafetensors(weights, 'adapter')].filter(([name]) => /layers\.[01]\..*q_proj/.test(name));
    const mixed = tensors.map(([name, { shape, bytes }]) => {
      const data = new Float32Array(bytes.slice().buffer);
      if (name.includes('layers.0')) return { name, dtype: 'F32' as const, shape, data };
      // The first of two ranks: a row of A, a column of B.
      const [rows, columns] = shape as [number, number];
      return name.includes('lora_A')
        ? { name, dtype: 'F32' as const, shape: [1, columns], data: data.slice(0, columns) }
        : { name, dtype: 'F32' as const, shape: [rows, 1], data: data.filter((_, i) => i % 2 === 0) };
    });
    const narrow = { ...config, rank_pattern: { 'layers.1.self_attn.q_proj': 1 } };
    const files = [
      { path: 'adapter_config.json', bytes: new TextEncoder().encode(JSON.stringify(narrow)) },
      { path: 'adapter_model.safetensors', bytes: writeSafetensors(mixed) },
    ];
    const { id } = await engine.importAdapter('Mixed', files);
    const next = await engine.startRun(request({ steps: 1, lora: { init: id }, optimizer: { lr: 0 } }));
    const written = await adapterOf(next.id);
    const second = 'language_model.model.layers.1.self_attn.q_proj';
    // One alpha over another rank is another scale; the name of each stands where ends would fit more.
    expect(written.config).toMatchObject({ r: 2, lora_alpha: 4, rank_pattern: { [second]: 1 }, alpha_pattern: {} });
    expect(written.config['target_modules']).toEqual([0, 1].map((layer) => second.replace('1', String(layer))));
    expect(parseSafetensors(written.weights, 'next').size).toBe(4);
  });
});

async function adapterOf(id: string): Promise<{ config: Record<string, unknown>; weights: Uint8Array }> {
  const files = new Map((await engine.exportRun(id, 'adapter')).map(({ path, bytes }) => [path, bytes]));
  const config = JSON.parse(new TextDecoder().decode(files.get('adapter_config.json'))) as Record<string, unknown>;
  return { config, weights: files.get('adapter_model.safetensors')! };
}

describe('a run whose data was changed', () => {
  it('is not gone on with: one word or one picture is enough; put back, it goes on', async () => {
    const whole = await engine.startRun(request());
    const paused = await engine.startRun(request(), pauseAfter(2));
    const reworded = structuredClone(rows);
    reworded[1]!.conversations[1]!.value += '!';
    await writeRows('shapes', reworded);
    const refusal = { code: 'usage', message: expect.stringContaining('data of this run has changed') as string };
    await expect(engine.resumeRun(paused.id)).rejects.toMatchObject(refusal);
    const [found] = (await engine.runs()).filter(({ id }) => id === paused.id);
    expect(found).toMatchObject({ state: 'paused', step: 2, note: expect.stringContaining('has changed') as string });
    // What a finished run has left stays, whoever asks for more.
    await expect(engine.resumeRun(whole.id, { changes: { steps: 9 } })).rejects.toMatchObject(refusal);
    const [kept] = (await engine.runs()).filter(({ id }) => id === whole.id);
    expect(kept).toMatchObject({ state: 'finished', step: 4, steps: 4, result: 'adapter' });

    await writeRows('shapes', rows);
    await files.write('datasets/shapes/0.png', await readFile(join(goldens, 'data/1.png')));
    await expect(engine.resumeRun(paused.id)).rejects.toMatchObject(refusal);
    await writeRows('shapes', rows);
    await engine.resumeRun(paused.id);
    expect(await lossesOf(paused.id)).toEqual(await lossesOf(whole.id));
  });
});

describe('a run on a folder of the visitor', () => {
  async function dropped(change?: (weights: Uint8Array) => void): Promise<Extract<ModelSource, { kind: 'files' }>> {
    const names = (await readdir(join(goldens, 'nvlm-d'))).filter((name) => /^(model|config|token|gener)/.test(name));
    const picked: PickedFile[] = [];
    for (const name of names) {
      const bytes = new Uint8Array(await readFile(join(goldens, 'nvlm-d', name)));
      if (name === 'model.safetensors') change?.(bytes);
      picked.push({ path: `mine/${name}`, blob: new Blob([bytes]) });
    }
    return { kind: 'files', name: 'mine', files: picked };
  }

  it('is planned with what its folder holds beside what is read', async () => {
    const model = await dropped();
    expect((await engine.planRun(request({}, model))).warnings).toEqual([]);
    const index = new Blob([JSON.stringify({ weight_map: { 'mlp1.0.weight': 'gone.safetensors' } })]);
    const files = [...model.files, { path: 'mine/model.safetensors.index.json', blob: index }];
    const { warnings } = await engine.planRun(request({}, { ...model, files }));
    expect(warnings).toEqual([
      'mine holds model.safetensors and an index of other files: model.safetensors is read, as transformers does, and not the file that model.safetensors.index.json names.',
    ]);
  });

  it('goes on while it is open; after a reload with the folder, and with that one alone', async () => {
    const paused = await engine.startRun(request({}, await dropped()), pauseAfter(1));
    expect(paused).toMatchObject({ state: 'paused', needsModel: false, request: { model: { files: [] } } });
    expect(await engine.resumeRun(paused.id, pauseAfter(1))).toMatchObject({ state: 'paused', step: 2 });
    await engine.dispose();
    engine = openPage();
    await engine.openDevice('wasm');
    const reloaded = async () => (await engine.runs()).find(({ id }) => id === paused.id);
    expect(await reloaded()).toMatchObject({ state: 'paused', needsModel: true });
    await expect(engine.resumeRun(paused.id)).rejects.toMatchObject({
      code: 'not-found',
      fix: expect.stringContaining('Choose the folder again') as string,
    });
    const other = await dropped((weights) => weights.fill(1, weights.length / 2));
    await expect(engine.resumeRun(paused.id, { model: other })).rejects.toMatchObject({ code: 'usage' });
    expect(await reloaded()).toMatchObject({ state: 'paused', step: 2, needsModel: true });
    const done = await engine.resumeRun(paused.id, { model: await dropped() });
    expect(done).toMatchObject({ state: 'finished', step: 4, needsModel: false });
    const whole = await engine.startRun(request());
    expect(await lossesOf(paused.id)).toEqual(await lossesOf(whole.id));
  });
});
