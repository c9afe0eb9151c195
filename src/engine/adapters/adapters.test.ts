import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodePlatform } from '../../device/node.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { writeSafetensors } from '../../weights/safetensors.ts';
import type { ChatRequest, Engine } from '../api.ts';
import { createEngine } from '../engine.ts';
import { AdapterLibrary } from './adapter-library.ts';
import { sourceId } from '../platform.ts';
import type { AdapterUse, ExportedFile } from '../runs/training-api.ts';

const path = (relative: string) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));

/** A PEFT adapter of one linear. */
function adapterOf(module: string, columns: number, rows: number, config: object = {}): ExportedFile[] {
  const numbers = (length: number) => Float32Array.from({ length }, (_, i) => 2 * Math.sin(7 * i));
  const name = `base_model.model.${module}`;
  const weights = writeSafetensors([
    { name: `${name}.lora_A.weight`, dtype: 'F32', shape: [2, columns], data: numbers(2 * columns) },
    { name: `${name}.lora_B.weight`, dtype: 'F32', shape: [rows, 2], data: numbers(2 * rows) },
  ]);
  const json = JSON.stringify({ peft_type: 'LORA', r: 2, lora_alpha: 2, ...config });
  return [
    { path: 'mine/adapter_config.json', bytes: new TextEncoder().encode(json) },
    { path: 'mine/adapter_model.safetensors', bytes: weights },
  ];
}

const MLP = 'language_model.model.layers.0.mlp.down_proj';

describe('adapters on a loaded model', () => {
  let engine: Engine;
  let note: Uint8Array;
  let files: MemoryFolder;
  let inner: number;
  beforeAll(async () => {
    note = await readFile(path('tests/fixtures/nano-eval/images/000.png'));
    const config = JSON.parse(await readFile(path('public/models/nano-d/config.json'), 'utf8')) as {
      llm_config: { intermediate_size: number };
    };
    inner = config.llm_config.intermediate_size;
    files = new MemoryFolder();
    engine = createEngine({
      device: nodePlatform(),
      openFiles: async (source) => nodeFiles(source.kind === 'bundled' ? path(`public/models/${source.id}`) : sourceId(source)),
      hub: {},
      store: async () => null,
      kept: async () => new MemoryFolder(),
      files: async () => files,
    });
    await engine.openDevice('wasm');
    await engine.load({ kind: 'bundled', id: 'nano-d' });
  });
  afterAll(() => engine.dispose());

  const ask = (adapters?: AdapterUse[], image: Uint8Array | null = note): ChatRequest => ({
    messages: [{ role: 'user', content: 'Read everything.' }],
    image,
    sampling: { temperature: 0 },
    maxNewTokens: 24,
    adapters,
  });
  const idsWith = async (...adapters: AdapterUse[]) => (await engine.chat(ask(adapters))).ids;

  it('change the answer by their strength, and leave the base as it was', async () => {
    const { id } = await engine.importAdapter('Mine', adapterOf(MLP, inner, 192));
    const { ids } = await engine.chat(ask());
    expect(await idsWith({ id, strength: 1 })).not.toEqual(ids);
    expect(await idsWith({ id, strength: 0 })).toEqual(ids);
    expect(await idsWith()).toEqual(ids);
    // Half as strong once and once more is as strong as once.
    const again = await engine.importAdapter('Again', adapterOf(MLP, inner, 192));
    const whole = await idsWith({ id, strength: 1 });
    expect(await idsWith({ id, strength: 0.5 }, { id: again.id, strength: 0.5 })).toEqual(whole);
    for (const strength of [-1, 2.1, NaN]) await expect(idsWith({ id, strength })).rejects.toMatchObject({ code: 'usage' });
    expect(await idsWith({ id, strength: 1 })).toEqual(whole);
  });

  it('look at the picture again when they read it, and only then', async () => {
    const [seen, unseen] = [
      await engine.importAdapter('Connector', adapterOf('mlp1.1', 512, 384)),
      await engine.importAdapter('Decoder', adapterOf(MLP, inner, 192)),
    ];
    const stages = async (...adapters: AdapterUse[]) => {
      const all = new Set<string>();
      const onEvent = (event: { type: string; stage?: string }) => void (event.stage && all.add(event.stage));
      const { ids } = await engine.chat(ask(adapters), { onEvent });
      return { vision: all.has('vision'), ids };
    };
    const before = await stages();
    expect((await stages({ id: unseen.id, strength: 1 })).vision).toBe(false);
    const adapted = await stages({ id: seen.id, strength: 1 });
    expect(adapted.vision).toBe(true);
    expect(adapted.ids).not.toEqual(before.ids);
    expect(await stages()).toEqual({ vision: true, ids: before.ids });
  });

  it('go on and off in under 50 ms, and leave no memory behind', async () => {
    const { id } = await engine.importAdapter('Swapped', adapterOf(MLP, inner, 192));
    const text = (adapters: AdapterUse[]) => engine.chat({ ...ask(adapters, null), maxNewTokens: 1 });
    await text([{ id, strength: 1 }]);
    await text([]);
    const { numTensors } = tf.memory();
    const times = { swapped: Infinity, same: Infinity };
    for (let i = 0; i < 8; i++) {
      // The second time the adapters are on or off already.
      const adapters = i % 2 ? [] : [{ id, strength: 1 }];
      for (const name of ['swapped', 'same'] as const) {
        const start = performance.now();
        await text(adapters);
        times[name] = Math.min(times[name], performance.now() - start);
      }
    }
    expect(times.swapped - times.same).toBeLessThan(50);
    expect(tf.memory().numTensors).toBe(numTensors);
    await engine.deleteAdapter(id);
    expect(tf.memory().numTensors).toBeLessThan(numTensors);
    await expect(idsWith({ id, strength: 1 })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('merged into a checkpoint answer as beside it', async () => {
    const { id } = await engine.importAdapter('Merged', adapterOf(MLP, inner, 192));
    const adapters = [{ id, strength: 0.5 }];
    const tuned = await idsWith(...adapters);
    const folder = await mkdtemp(join(tmpdir(), 'nvlm-merged-'));
    try {
      const parts = new Map<string, Uint8Array[]>();
      let done = 0;
      await engine.exportMerged(adapters, {
        onPart({ path: name, part, doneBytes, totalBytes }) {
          parts.set(name, [...(parts.get(name) ?? []), part]);
          done = doneBytes / totalBytes;
        },
      });
      expect(done).toBe(1);
      for (const [name, list] of parts) await writeFile(join(folder, name), Buffer.concat(list));
      await engine.load({ kind: 'folder', path: folder });
      expect((await engine.chat(ask())).ids).toEqual(tuned);
    } finally {
      await engine.load({ kind: 'bundled', id: 'nano-d' });
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('are listed with what they are, or why they do not fit, and go out as they came', async () => {
    const given = adapterOf('language_model.model.layers.9.mlp.up_proj', 8, 8, { base_model_name_or_path: 'other' });
    const { id } = await engine.importAdapter('Foreign', given);
    const entry = (await engine.adapters()).find((one) => one.id === id);
    expect(entry).toMatchObject({ title: 'Foreign', base: 'other', rank: 2, modules: 1, parameters: 32, from: 'import' });
    expect(entry!.misfit).toContain('layers.9.mlp.up_proj, which this model has not got');
    expect((await engine.exportAdapter(id)).map(({ bytes }) => bytes)).toEqual(given.map(({ bytes }) => bytes));
    await expect(idsWith({ id, strength: 1 })).rejects.toMatchObject({ code: 'bad-model' });
    await expect(engine.exportAdapter('../runs')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('that were kept before they were refused are still listed, with why', async () => {
    const { id } = await engine.importAdapter('Old', adapterOf(MLP, inner, 192));
    const [config] = adapterOf(MLP, inner, 192, { init_lora_weights: 'pissa' });
    await files.write(`adapters/${id}/adapter_config.json`, config!.bytes);
    // Another engine: this one has read it already.
    const again = await new AdapterLibrary(files, async () => []).list(null);
    const entry = again.find((one) => one.id === id);
    expect(entry).toMatchObject({ title: 'Old', rank: 0, modules: 0, misfit: expect.stringContaining('init_lora_weights is "pissa"') });
    await engine.deleteAdapter(id);
  });

  it.each([
    [{ use_dora: true }, 'it sets use_dora'],
    [{ bias: 'all' }, 'bias is "all": it trains biases'],
    [{ modules_to_save: ['lm_head'] }, 'it sets modules_to_save'],
    [{ lora_alpha: 'x' }, 'lora_alpha'],
  ])('refuse %j when they are brought in', async (config, why) => {
    const before = (await files.list('adapters')).length;
    await expect(engine.importAdapter('Bad', adapterOf(MLP, inner, 192, config))).rejects.toThrow(why);
    expect(await files.list('adapters')).toHaveLength(before);
  });
});
