import { describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openModelFolder, type ModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { isQuantizable, planWeights } from './checkpoint-layout.ts';
import { internvlNamings } from './families/internvl/names.ts';
import { configOf } from './parse-config.ts';

async function open(name: string): Promise<ModelFolder> {
  return openModelFolder(nodeFiles(goldenFolder(name)));
}

/** The same folder with some tensors renamed, replaced or (null) left out. */
function changed(folder: ModelFolder, change: (entry: TensorEntry) => TensorEntry | null): ModelFolder {
  const entries = [...folder.tensors.values()].map(change).filter((entry) => entry !== null);
  return { ...folder, tensors: new Map(entries.map((entry) => [entry.name, entry])) };
}

function plan(folder: ModelFolder) {
  return planWeights(folder, configOf(folder));
}

describe('names', () => {
  it('stacks the -hf query, key and value projections', () => {
    const parts = ['q', 'k', 'v'].map((part) => `vision_tower.encoder.layer.11.attention.${part}_proj.bias`);
    const hf = internvlNamings.find(({ id }) => id === 'hf')!;
    expect(hf.sourceNames('vision_model.encoder.layers.11.attn.qkv.bias')).toEqual(parts);
    const q = { module: 'vision_model.encoder.layers.11.attn.qkv', part: 0, parts: 3 };
    expect(hf.ownModule(parts[0]!.replace('.bias', ''))).toEqual(q);
  });

  it('finds the parts of an -hf checkpoint, also as newer versions nest them', async () => {
    const folder = await open('internvl-hf');
    const nested = changed(folder, (entry) => {
      const inner = entry.name.replace(/^language_model\.model\./, 'language_model.');
      const name = inner.includes('lm_head') ? 'lm_head.weight' : `model.${inner}`;
      return { ...entry, name };
    });
    const sources = (of: ModelFolder) => plan(of).parameters.map(({ spec, sources }) => [spec.name, ...sources.map(({ start }) => start)]);
    expect(sources(nested)).toEqual(sources(folder));
    expect(sources(folder).length).toBe(plan(await open('internvl')).parameters.length);
  });
});

describe('planWeights', () => {
  it.each([
    ['internvl-hf', 'vision_tower.encoder.layer.1.lambda_2', null, /vision_tower\.encoder\.layer\.1\.lambda_2 is missing/],
    [
      'internvl-hf',
      'vision_tower.encoder.layer.0.attention.k_proj.weight',
      { shape: [47, 48] },
      /k_proj\.weight has shape \[47, 48\].*\[48, 48\]/,
    ],
    ['internvl', 'mlp1.3.bias', { name: 'mlp1.4.bias' }, /mlp1\.3\.bias is missing; mlp1\.4\.bias is in the weights/],
    ['text/qwen2', 'model.norm.weight', { dtype: 'I64' as const }, /model\.norm\.weight has element type I64/],
    ['text/qwen2-affine-4bit-g32', 'model.layers.1.mlp.up_proj.biases', null, /up_proj\.weight is packed, and its biases are missing/],
    ['text/qwen2-affine-4bit-g32', 'model.layers.1.mlp.up_proj.weight', { shape: [128, 6] }, /is not a matrix \[128, 64\] of 4 or 8 bits/],
    ['text/qwen2-affine-4bit-g32', 'model.layers.1.mlp.up_proj.scales', { shape: [128, 4] }, /groups of 32, 64 or 128/],
  ])('%s with a changed %s says so', async (model, name, change, message) => {
    const folder = changed(await open(model), (entry) => (entry.name !== name ? entry : change && { ...entry, ...change }));
    expect(() => plan(folder)).toThrow(expect.objectContaining({ code: 'bad-model', message: expect.stringMatching(message) }));
  });

  it('refuses a tensor that the architecture has no place for; a stored head has one, tied or not', async () => {
    const folder = await open('text/qwen2');
    const norm = folder.tensors.get('model.norm.weight')!;
    const withExtra = (name: string): ModelFolder => ({ ...folder, tensors: new Map([...folder.tensors, [name, { ...norm, name }]]) });
    expect(() => plan(withExtra('model.layers.0.self_attn.o_proj.bias'))).toThrow(/o_proj\.bias is in the weights/);
    const embedding = folder.tensors.get('model.embed_tokens.weight')!;
    const head = { ...embedding, name: 'lm_head.weight' };
    const planned = plan({ ...folder, tensors: new Map([...folder.tensors, [head.name, head]]) });
    expect(planned.parameters.map(({ spec }) => spec.name)).toContain('lm_head.weight');
  });

  it('reads bits and group size off the shapes', async () => {
    for (const [bits, groupSize] of [
      [4, 32],
      [4, 64],
      [8, 64],
    ]) {
      const { parameters } = plan(await open(`text/qwen2-affine-${bits}bit-g${groupSize}`));
      const packed = parameters.filter(({ affine }) => affine);
      expect(packed.length).toBe(1 + 3 * 7);
      for (const { affine } of packed) expect(affine).toMatchObject({ bits, groupSize });
    }
  });
});

it('quantises the language model alone', async () => {
  const folder = await open('internvl');
  const chosen = plan(folder)
    .parameters.filter(({ spec }) => isQuantizable(spec, 32))
    .map(({ spec }) => spec.name);
  expect(chosen.length).toBe(2 + 4 * 7);
  expect(chosen.every((name) => name.startsWith('language_model.') && name.endsWith('.weight'))).toBe(true);
  expect(plan(folder).parameters.some(({ spec }) => isQuantizable(spec, 128) && spec.name.includes('q_proj'))).toBe(false);
});
