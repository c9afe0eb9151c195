/** What people really bring: folders that once went wrong without a word, with the values that transformers and PEFT give. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { adapterFilesOf, applyAdapter } from '../../src/engine/adapters/adapter.ts';
import { exportedFiles, mergeAdapterFiles } from '../../src/engine/export/export-model.ts';
import { forward } from '../../src/engine/measure/forward.ts';
import { planWeights } from '../../src/nvlm/checkpoint-layout.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import type { NvlmModel } from '../../src/nvlm/model.ts';
import { configOf } from '../../src/nvlm/parse-config.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { openBackend } from '../support/backends.ts';
import { relativeError } from './check.ts';

const path = (name: string) => fileURLToPath(new URL(`../fixtures/cases/${name}`, import.meta.url));
const tensorsOf = async (name: string) => parseSafetensors(await readFile(path(name)), name);
const folderOf = (name: string) => openModelFolder(nodeFiles(path(name)));

let device: Device;
beforeAll(async () => {
  device = await openBackend('cpu');
});
afterAll(() => device.dispose());

async function logitsError(model: NvlmModel, reference: string, ids = 'adapters/ids.safetensors'): Promise<number> {
  const outputs = await forward(model, device, await tensorsOf(ids));
  const logits = outputs.find(({ name }) => name === 'logits')!.data as Float32Array;
  return relativeError(logits, (await tensorsOf(reference)).get('logits')!);
}

describe('adapters', () => {
  const adapter = async (name: string) =>
    adapterFilesOf(
      await readFile(path(`adapters/${name}/adapter_config.json`)),
      await readFile(path(`adapters/${name}/adapter_model.safetensors`)),
    );

  it('of plain LoRA give the logits of PEFT', async () => {
    const model = await loadModel(await folderOf('adapters/model'), { keepHalves: false });
    expect(await logitsError(model, 'adapters/plain/ref.safetensors')).toBeGreaterThan(1e-2);
    applyAdapter(model, await adapter('plain'));
    expect(await logitsError(model, 'adapters/plain/ref.safetensors')).toBeLessThan(2e-5);
    model.dispose();
  });

  it.each([
    ['pissa', 'init_lora_weights is "pissa"'],
    ['alora', 'it sets alora_invocation_tokens'],
  ])('of %s are refused by name, put on a model and merged into one', async (name, why) => {
    const folder = await folderOf('adapters/model');
    const files = await adapter(name);
    const refusal = expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining(why) });
    const model = await loadModel(folder, { keepHalves: false });
    expect(() => applyAdapter(model, files)).toThrow(refusal);
    // Even at a strength that would leave it out: nobody is told that it works.
    expect(() => applyAdapter(model, files, 0)).toThrow(refusal);
    expect(() => mergeAdapterFiles(folder, [{ files, strength: 1 }])).toThrow(refusal);
    model.dispose();
  });
});

describe('a whole model.safetensors beside an index of shards', () => {
  it.each([
    ['that are there', 'both-single-and-index/model', 'both-single-and-index/ref.safetensors'],
    ['that are gone', 'staleindex', 'staleindex/ref.safetensors'],
  ])('%s is what is read, as transformers does, and said to be', async (_, name, reference) => {
    const folder = await folderOf(name);
    expect(folder.warnings).toEqual([expect.stringMatching(/index of other files: model\.safetensors is read.*not the 2 files/)]);
    const model = await loadModel(folder, { keepHalves: false });
    expect(await logitsError(model, reference)).toBeLessThan(2e-5);
    model.dispose();
    // An export does not hand on an index that speaks of other files.
    const paths = (await exportedFiles(folder, new Map())).map((file) => file.path);
    expect(paths).toContain('model.safetensors');
    expect(paths).not.toContain('model.safetensors.index.json');
  });

  it('of shards alone is an ordinary model', async () => {
    expect((await openModelFolder(nodeFiles(fileURLToPath(new URL('../../public/models/nano-d', import.meta.url))))).warnings).toEqual([]);
  });
});

describe('a head tied to the embedding', () => {
  it.each([
    ['counts as it is stored, where it was left behind by a merge', 'tied-lm-head/model', 'tied-lm-head/ref.safetensors'],
    ['is tied where only the outer config says so', 'internvl_hf_tied_by_top', 'internvl_hf_tied_by_top/ref.safetensors'],
  ])('%s', async (_, name, reference) => {
    const model = await loadModel(await folderOf(name), { keepHalves: false });
    expect(await logitsError(model, reference, 'tied-lm-head/in.safetensors')).toBeLessThan(2e-5);
    model.dispose();
  });
});

it.each([
  ['internvl_unmerged', 'bad-model', /not merged/, /Merge the LoRA first/],
  ['internvl_moe', 'unsupported-model', /a mixture of experts/, /InternVL, SmolVLM or nanoVLM/],
])('%s is refused with its cause before its weights are read', async (name, code, message, fix) => {
  const folder = await folderOf(name);
  expect(() => planWeights(folder, configOf(folder))).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message), fix: expect.stringMatching(fix) }),
  );
});
