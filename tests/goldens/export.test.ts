/** Every layout that loads is written again: untouched to the byte, changed where its parameters lie in the files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportedFiles, mergeAdapterFiles, replacements } from '../../src/engine/export/export-model.ts';
import { planWeights } from '../../src/nvlm/checkpoint-layout.ts';
import { parseConfig } from '../../src/nvlm/parse-config.ts';
import { blobFiles } from '../../src/weights/blob-files.ts';
import { toF32 } from '../../src/weights/dtype.ts';
import { openModelFolder, type ModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors, writeSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { goldenFolder } from './golden-files.ts';

const LAYOUTS = [
  'nvlm-d',
  'nvlm-x',
  'nvlm-h',
  'nvlm-d-72b-layout',
  'internvl',
  'internvl-hf',
  'smolvlm',
  'nanovlm',
  'nanovlm-whole',
  'text/qwen2',
  'text/qwen3',
  'text/llama',
  'text/llama3-rope',
  'text/qwen2-affine-4bit-g32',
  'text/qwen2-affine-8bit-g64',
];

const open = (name: string) => openModelFolder(nodeFiles(goldenFolder(name)));

type Changes = Parameters<typeof exportedFiles>[1];

async function written(folder: ModelFolder, changes: Changes, dtype?: 'source' | 'f32'): Promise<Map<string, Uint8Array>> {
  const result = new Map<string, Uint8Array>();
  for (const { path, bytes, parts } of await exportedFiles(folder, changes, { dtype })) {
    const all: Uint8Array[] = [];
    for await (const part of parts) all.push(part);
    result.set(path, new Uint8Array(Buffer.concat(all)));
    expect(result.get(path)).toHaveLength(bytes);
  }
  return result;
}

/** What was written, opened as a model folder; this checks its headers and index. */
async function reopened(files: Map<string, Uint8Array>): Promise<ModelFolder> {
  const picked = [...files].map(([path, bytes]) => ({ path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) }));
  return openModelFolder(blobFiles(picked, 'written'));
}

async function valuesOf(folder: ModelFolder, name: string): Promise<Float32Array> {
  const { file, start, end, dtype } = folder.tensors.get(name)!;
  return toF32(dtype, await folder.files.read(file, start, end))!;
}

const ADAPTER_CONFIG = { peft_type: 'LORA', r: 1, lora_alpha: 1 };

/** Adds 0.5 to column 0 of every row. */
function adapterFor(module: string, columns: number, rows: number, dtype: 'F32' = 'F32') {
  const a = Float32Array.from({ length: columns }, (_, i) => (i === 0 ? 0.5 : 0));
  const bytes = writeSafetensors([
    { name: `base_model.model.${module}.lora_A.weight`, dtype, shape: [1, columns], data: a },
    { name: `base_model.model.${module}.lora_B.weight`, dtype, shape: [rows, 1], data: new Float32Array(rows).fill(1) },
  ]);
  return { files: { config: ADAPTER_CONFIG, tensors: parseSafetensors(bytes, 'adapter') }, strength: 1 };
}

describe('export', () => {
  it.each(LAYOUTS)('%s unchanged is byte for byte what it was', async (name) => {
    const files = await written(await open(name), new Map());
    expect(files.has('config.json')).toBe(true);
    for (const [path, bytes] of files) {
      expect(Buffer.from(bytes).equals(await readFile(join(goldenFolder(name), path))), path).toBe(true);
    }
  });

  it.each(['nvlm-d', 'internvl', 'internvl-hf', 'smolvlm', 'nanovlm', 'text/llama'])(
    '%s keeps element types, and every byte of the rest',
    async (name) => {
      const folder = await open(name);
      const { parameters } = planWeights(folder, parseConfig(folder.config));
      const { spec, sources } = parameters.find((one) => one.spec.name.endsWith('layers.1.mlp.up_proj.weight'))!;
      const [rows, columns] = spec.shape as [number, number];
      const module = spec.name.replace(/\.weight$/, '');
      const files = await written(folder, mergeAdapterFiles(folder, [adapterFor(module, columns, rows)]));
      const next = await reopened(files);
      const before = await valuesOf(folder, sources[0]!.name);
      const after = await valuesOf(next, sources[0]!.name);
      const bound = sources[0]!.dtype === 'BF16' ? 2 ** -8 : sources[0]!.dtype === 'F16' ? 2 ** -11 : 1e-6;
      const off = after.findIndex((value, i) => {
        const wanted = before[i]! + (i % columns === 0 ? 0.5 : 0);
        return Math.abs(value - wanted) > Math.abs(wanted) * bound;
      });
      expect({ off, value: after[off], before: before[off] }).toEqual({ off: -1, value: undefined, before: undefined });
      for (const [key, entry] of folder.tensors) {
        expect(next.tensors.get(key)).toMatchObject({ dtype: entry.dtype, start: entry.start, end: entry.end });
        if (key === sources[0]!.name) continue;
        const [ours, theirs] = await Promise.all([next, folder].map(({ files: from }) => from.read(entry.file, entry.start, entry.end)));
        expect(Buffer.from(ours!).equals(theirs!), key).toBe(true);
      }
    },
  );

  it('merges each adapter at its strength and scale', async () => {
    const folder = await open('text/llama');
    const { parameters } = planWeights(folder, parseConfig(folder.config));
    const { spec, sources } = parameters.find((one) => one.spec.name.endsWith('layers.1.mlp.up_proj.weight'))!;
    const [rows, columns] = spec.shape as [number, number];
    const adapter = adapterFor(spec.name.replace(/\.weight$/, ''), columns, rows);
    const config = { ...ADAPTER_CONFIG, lora_alpha: 6 };
    const adapters = [
      { ...adapter, strength: 0.5 },
      { files: { ...adapter.files, config }, strength: -0.25 },
      { ...adapter, strength: 0 },
    ];
    const next = await reopened(await written(folder, mergeAdapterFiles(folder, adapters), 'f32'));
    const [before, after] = await Promise.all([folder, next].map((from) => valuesOf(from, sources[0]!.name)));
    // 0.5 in column 0 of each: 0.5 · 1 · 0.5 − 0.25 · 6 · 0.5.
    const wanted = before!.map((value, i) => (i % columns === 0 ? value - 0.5 : value));
    expect(after!.every((value, i) => Math.abs(value - wanted[i]!) <= 1e-6)).toBe(true);
  });

  it('splits what a layout stores in parts: the fused qkv of the vision encoder under -hf names', async () => {
    const folder = await open('internvl-hf');
    const { parameters } = planWeights(folder, parseConfig(folder.config));
    const { spec, sources } = parameters.find((one) => one.spec.name === 'vision_model.encoder.layers.0.attn.qkv.weight')!;
    expect(sources).toHaveLength(3);
    const [rows, columns] = spec.shape as [number, number];
    const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns));
    const trained = new Map<string, LoadedTensor>([
      [spec.name, { name: spec.name, dtype: 'F32', shape: spec.shape, bytes: new Uint8Array(data.buffer) }],
    ]);
    const next = await reopened(await written(folder, replacements(trained), 'f32'));
    for (const [part, { name }] of sources.entries()) {
      expect(next.tensors.get(name)!.dtype).toBe('F32');
      const values = await valuesOf(next, name);
      expect(values[0]).toBe((part * rows) / 3);
      expect(values.at(-1)).toBe(((part + 1) * rows) / 3 - 1);
    }
  });

  it('says of a sharded model that grew how large it is now', async () => {
    const folder = await open('nvlm-d-72b-layout');
    const name = 'mlp1.1.weight';
    const values = await valuesOf(folder, name);
    const { shape, dtype } = folder.tensors.get(name)!;
    const trained = new Map<string, LoadedTensor>([[name, { name, dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) }]]);
    const next = await reopened(await written(folder, replacements(trained), 'f32'));
    expect(next.tensors.get(name)!.dtype).toBe('F32');
    expect(await valuesOf(next, name)).toEqual(values);
    if (dtype === 'F32') return;
    const index = JSON.parse(new TextDecoder().decode((await next.files.readAll('model.safetensors.index.json', 1e6))!)) as {
      metadata: { total_size: number };
    };
    expect(index.metadata.total_size).toBe(next.tensorBytes);
  });

  it('quantises a changed matrix of an affine checkpoint anew, within a step', async () => {
    const folder = await open('text/qwen2-affine-8bit-g64');
    const { parameters } = planWeights(folder, parseConfig(folder.config));
    const { spec, sources, affine } = parameters.find((one) => one.spec.name.endsWith('layers.0.self_attn.q_proj.weight'))!;
    const [rows, columns] = spec.shape as [number, number];
    const module = spec.name.replace(/\.weight$/, '');
    const next = await reopened(await written(folder, mergeAdapterFiles(folder, [adapterFor(module, columns, rows)])));
    const dequantized = async (from: ModelFolder) => {
      const { file, start, end } = from.tensors.get(sources[0]!.name)!;
      const words = new Uint8Array(await from.files.read(file, start, end));
      const [scales, biases] = await Promise.all([affine!.scales, affine!.biases].map(({ name }) => valuesOf(from, name)));
      const groupOf = (i: number) => Math.floor(i / affine!.groupSize);
      return { values: Float32Array.from(words, (q, i) => q * scales![groupOf(i)]! + biases![groupOf(i)]!), scales: scales! };
    };
    const [before, after] = [await dequantized(folder), await dequantized(next)];
    // Half a step in the middle; a group's ends may be cut by the rounding of its scale to the file's element type.
    const off = after.values.findIndex((value, i) => {
      const wanted = before.values[i]! + (i % columns === 0 ? 0.5 : 0);
      return Math.abs(value - wanted) > Math.abs(after.scales[Math.floor(i / affine!.groupSize)]!);
    });
    expect(off).toBe(-1);
    expect(next.tensors.get(affine!.scales.name)!.dtype).toBe(affine!.scales.dtype);
  });

  it('refuses what no tensor of the files stands for, before it writes', async () => {
    const folder = await open('text/llama');
    const bytes = new Uint8Array(4);
    const trained = new Map<string, LoadedTensor>([['no.such.weight', { name: 'no.such.weight', dtype: 'F32', shape: [1], bytes }]]);
    await expect(exportedFiles(folder, replacements(trained))).rejects.toThrow('no tensor of its own');
  });
});
