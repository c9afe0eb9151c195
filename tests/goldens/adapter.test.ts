/** PEFT adapters against the reference: those it made give its logits here, and ours are files that it would read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { applyAdapter } from '../../src/engine/adapters/adapter.ts';
import { forward } from '../../src/engine/measure/forward.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { namingOf } from '../../src/nvlm/naming.ts';
import { adapterFiles } from '../../src/training/adapter-files.ts';
import { addAdapter } from '../../src/nvlm/adapters/adapter-modules.ts';
import { makeAdapterTrainable } from '../../src/training/lora.ts';
import { parseAdapter } from '../../src/nvlm/adapters/peft.ts';
import type { NvlmModel } from '../../src/nvlm/model.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { forwardBound, relativeError } from './check.ts';
import { goldenFolder } from './golden-files.ts';
import { readAdapter, runGolden } from './training-run.ts';

const MODELS = ['nvlm-d', 'nvlm-x', 'nvlm-h'];

async function tensorsOf(path: string) {
  return parseSafetensors(await readFile(path), path);
}

/** How far record 0's logits are from those of the reference with its adapter. */
async function logitsError(name: string, model: NvlmModel, device: Device): Promise<number> {
  const folder = goldenFolder(name);
  const outputs = await forward(model, device, await tensorsOf(join(folder, 'forward/0.inputs.safetensors')));
  const expected = await tensorsOf(join(folder, 'lora.final/forward.0.outputs.safetensors'));
  return relativeError(outputs.find((output) => output.name === 'logits')!.data as Float32Array, expected.get('logits')!);
}

async function openGolden(name: string): Promise<NvlmModel> {
  return loadModel(await openModelFolder(nodeFiles(goldenFolder(name))), { keepHalves: false });
}

describe.each(allBackends)('adapters on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(() => device.dispose());

  // One architecture is enough for the slow software GPU adapter; nvlm-h has every kind of module.
  it.each(backend === 'webgpu' ? ['nvlm-h'] : MODELS)("%s with the reference's adapter gives its logits", async (name) => {
    const model = await openGolden(name);
    expect(await logitsError(name, model, device)).toBeGreaterThan(0.05);
    applyAdapter(model, await readAdapter(join(goldenFolder(name), 'lora.final')));
    expect(await logitsError(name, model, device)).toBeLessThan(forwardBound(device));
    model.dispose();
  });
});

describe('the strength of an adapter', () => {
  it('is a factor: a quarter and three quarters of it give the logits of the whole', async () => {
    const device = await openBackend('wasm');
    const model = await openGolden('nvlm-d');
    const adapter = await readAdapter(join(goldenFolder('nvlm-d'), 'lora.final'));
    applyAdapter(model, adapter, 0);
    applyAdapter(model, adapter, 0.25);
    expect(await logitsError('nvlm-d', model, device)).toBeGreaterThan(0.05);
    applyAdapter(model, adapter, 0.75);
    expect(await logitsError('nvlm-d', model, device)).toBeLessThan(forwardBound(device));
    model.dispose();
    await device.dispose();
  });
});

describe('adapter files', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it.each(MODELS)("%s: ours have the names, shapes and config keys of PEFT's", async (name) => {
    const { output } = await runGolden(name, 'lora', device, { steps: 1 });
    const own = output.tensors('adapter_model.safetensors');
    const peft = await readAdapter(join(goldenFolder(name), 'lora.start'));
    const shapes = (tensors: typeof own) => [...tensors].map(([key, { dtype, shape }]) => [key, dtype, shape]).sort();
    expect(shapes(own)).toEqual(shapes(peft.tensors));
    const config = JSON.parse(new TextDecoder().decode(output.files.get('adapter_config.json'))) as Record<string, unknown>;
    expect(Object.keys(config)).toEqual(Object.keys(peft.config as object));
    expect(config).toMatchObject({ r: 4, lora_alpha: 8, peft_type: 'LORA', bias: 'none' });
    expect(config['target_modules']).toContain('self_attn.q_proj');
  });

  it.each([
    ['internvl-hf', 'internvl', ['q_proj', 'down_proj', 'mlp1.1']],
    ['text/llama', 'text/llama', ['q_proj', 'down_proj']],
  ])("%s: PEFT's adapter gives its logits, and is written again as PEFT wrote it", async (name, records, targets) => {
    const peft = join(goldenFolder(name), 'peft');
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    const model = await loadModel(folder, { keepHalves: false });
    const { config, tensors } = await readAdapter(peft);
    const modules = parseAdapter(config, tensors, model.weights);
    addAdapter(model.weights, modules);
    const outputs = await forward(model, device, await tensorsOf(join(goldenFolder(records), 'forward/0.inputs.safetensors')));
    const logits = outputs.find((output) => output.name === 'logits')!.data as Float32Array;
    const expected = (await tensorsOf(join(peft, 'last-logits.safetensors'))).get('logits')!;
    expect(relativeError(logits.slice(-expected.bytes.length / 4), expected)).toBeLessThan(forwardBound(device));

    const trained = makeAdapterTrainable(model.weights, modules, null);
    const files = await adapterFiles(
      trained,
      {
        lora: { dropout: 0, targets },
        modules,
        base: name,
        naming: namingOf(model.config.family.namings, folder.tensors.keys()),
        isTextModel: !model.config.vision,
      },
      device,
    );
    const written = parseSafetensors(files.get('adapter_model.safetensors')!, 'written');
    expect([...written.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [key, { shape, bytes }] of tensors) expect(written.get(key), key).toMatchObject({ shape, bytes });
    const sorted = (json: unknown) => {
      const { target_modules: modulesOf, ...rest } = json as { target_modules: string[] };
      return { ...rest, target_modules: [...modulesOf].sort() };
    };
    const ownConfig = JSON.parse(new TextDecoder().decode(files.get('adapter_config.json'))) as unknown;
    expect(sorted(ownConfig)).toEqual(sorted(config));
    model.dispose();
  });

  it("internvl-hf with PEFT's adapter on the vision tower, whose q, k and v are one matrix here, gives its logits of a picture", async () => {
    const peft = join(goldenFolder('internvl-hf'), 'peft-vision');
    const model = await openGolden('internvl-hf');
    const inputs = await tensorsOf(join(goldenFolder('internvl'), 'forward/0.inputs.safetensors'));
    const expected = (await tensorsOf(join(peft, 'last-logits.safetensors'))).get('logits')!;
    const error = async () => {
      const outputs = await forward(model, device, inputs);
      const logits = outputs.find((output) => output.name === 'logits')!.data as Float32Array;
      return relativeError(logits.slice(-expected.bytes.length / 4), expected);
    };
    expect(await error()).toBeGreaterThan(1e-3);
    applyAdapter(model, await readAdapter(peft));
    expect(await error()).toBeLessThan(forwardBound(device));
    model.dispose();
  });

  it('written unchanged they are byte for byte what was read', async () => {
    const { output } = await runGolden('nvlm-h', 'lora', device, { steps: 1, optimizer: await frozenOptimizer() });
    const own = output.files.get('adapter_model.safetensors')!;
    const peft = await readFile(join(goldenFolder('nvlm-h'), 'lora.start', 'adapter_model.safetensors'));
    expect(Buffer.from(own).equals(peft)).toBe(true);
  });

  it('refuses what does not fit or is no plain LoRA', async () => {
    const model = await openGolden('nvlm-d');
    const { config, tensors } = await readAdapter(join(goldenFolder('nvlm-x'), 'lora.final'));
    const parse =
      (changes: object, some = tensors) =>
      () =>
        parseAdapter({ ...(config as object), ...changes }, some, model.weights);
    expect(parse({})).toThrow('which this model has not got');
    expect(parse({ use_dora: true })).toThrow('it sets use_dora');
    expect(parse({ peft_type: 'IA3' })).toThrow('its type is IA3');
    expect(parse({ lora_alpha: null })).toThrow('lora_alpha');
    expect(parse({ alpha_pattern: { '(a+)+$': 1 } })).toThrow('alpha_pattern');
    const [[name, first]] = [...tensors] as [[string, NonNullable<ReturnType<typeof tensors.get>>]];
    expect(parse({}, new Map([[name, first]]))).toThrow('one of its two matrices only');
    expect(parse({}, new Map([['x.bias', first]]))).toThrow('no part of a LoRA');
    const head = { name: 'base_model.model.lm_head.base_layer.weight', dtype: 'F32' as const, shape: [1, 1], bytes: new Uint8Array(4) };
    expect(parse({}, new Map([[head.name, head]]))).toThrow('holds no tensors');
    model.dispose();
  });

  it('scales by alpha and rank, rank-stabilised or a module at a time', async () => {
    const model = await openGolden('nvlm-d');
    const { config, tensors } = await readAdapter(join(goldenFolder('nvlm-d'), 'lora.final'));
    const scales = (changes: object) =>
      new Map(parseAdapter({ ...(config as object), ...changes }, tensors, model.weights).map(({ module, scale }) => [module, scale]));
    const q = 'language_model.model.layers.0.self_attn.q_proj';
    expect(scales({}).get(q)).toBe(2);
    expect(scales({ use_rslora: true }).get(q)).toBe(4);
    const patterned = scales({ alpha_pattern: { 'self_attn.q_proj': 2 } });
    expect(patterned.get(q)).toBe(0.5);
    expect(patterned.get(q.replace('q_proj', 'k_proj'))).toBe(2);
    model.dispose();
  });

  it('refuses to be put on a model of other widths', async () => {
    const model = await openGolden('nvlm-d');
    const module = 'language_model.model.layers.0.self_attn.q_proj';
    const adapter = { module, rank: 1, scale: 1, a: new Float32Array(5), b: new Float32Array(64) };
    expect(() => addAdapter(model.weights, [adapter])).toThrow('maps 64 to 64');
    model.dispose();
  });
});

/** Moves nothing. */
async function frozenOptimizer() {
  const { parseRun } = await import('../../src/training/run-config.ts');
  return parseRun({ model: 'm', data: 'd', steps: 1, optimizer: { lr: 0 } }, 'run').optimizer;
}
