import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import type { Device } from '../../device/types.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { loadModel } from '../../nvlm/load-model.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { stepProducts } from '../../nvlm/step-products.ts';
import { opCases } from '../../ops/cases.ts';
import type { OpCase } from '../../ops/op-case.ts';
import { CommandList } from '../../ops/recorded/command-list.ts';
import { chooseLines, linesFor } from '../../ops/few-rows-lines.ts';
import { ProductTrial } from '../../ops/product-trial.ts';
import { runProgram } from '../../ops/webgpu-program.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { noteVerified, tuneVariants } from './device-variants.ts';
import { readVariants, writeVariants } from './kept-variants.ts';
import { checkCase, wrongVariants } from './verify.ts';

let device: Device;
let model: NvlmModel;
beforeAll(async () => {
  device = await openBackend('webgpu');
  model = await loadModel(await openModelFolder(nodeFiles(goldenFolder('text/qwen2-affine-4bit-g64'))), { keepHalves: true });
});
afterAll(async () => {
  chooseLines(new Map());
  model.dispose();
  await device.dispose();
});

const head = { layout: 'affine4', inFeatures: 64, outFeatures: 512 } as const;

it('every product of a model can be timed, and all variants agree', async () => {
  const before = tf.memory().numTensors;
  const products = stepProducts(model);
  expect(products.filter(({ op }) => op === 'recordedSwiglu')).toHaveLength(1);
  // The largest of each kind, and one of each is enough on a software adapter.
  const some = [products[0]!, products.find(({ op }) => op === 'recordedSwiglu')!, products.find(({ op }) => op === 'linear')!];
  for (const product of some) {
    const trial = new ProductTrial(product, device);
    const expected = await trial.outputs(8);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0);
    const other = await trial.outputs(16);
    other.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
    expect(await trial.time(16)).toBeGreaterThan(0);
    if (product.op !== 'linear') {
      // A program that does nothing must not pass for the one before.
      trial['lists'].get(4)?.dispose();
      trial['lists'].set(4, new CommandList((tf.backend() as WebGPUBackend).device));
      expect((await trial.outputs(4)).every((value) => value === 0)).toBe(true);
    }
    trial.dispose();
  }
  expect(tf.memory().numTensors).toBe(before);
});

it('a software adapter measures nothing, and uses what is known of it', async () => {
  const folder = new MemoryFolder();
  await tuneVariants(device, model, folder);
  expect(await folder.list()).toEqual([]);
  expect(linesFor('recordedProduct', head)).toBe(8);
  await writeVariants(folder, device.info.adapter!, { choices: new Map([['recordedProduct affine4 64 × 512', 16]]), refused: new Set() });
  await tuneVariants(device, model, folder);
  expect(linesFor('recordedProduct', head)).toBe(16);
  expect(linesFor('recordedSwiglu', head)).toBe(8);
});

it('another adapter measures within its time, and finds it again', async () => {
  const folder = new MemoryFolder();
  const adapter = { ...device.info.adapter!, software: false };
  const hardware = { ...device, info: { ...device.info, adapter } };
  await tuneVariants(hardware, model, folder);
  const { choices, refused } = await readVariants(folder, adapter);
  expect([...refused]).toEqual([]);
  expect(choices.size).toBeGreaterThan(0);
  expect([...choices.keys()].every((name) => /^(recorded(Product|Swiglu)|linear) affine4 \d+ × \d+$/.test(name))).toBe(true);
});

it('a variant that the check found wrong is not used any more, until it is found right', async () => {
  const folder = new MemoryFolder();
  const adapter = device.info.adapter!;
  await writeVariants(folder, adapter, { choices: new Map([['recordedProduct affine4 64 × 512', 16]]), refused: new Set() });
  await tuneVariants(device, model, folder);
  await noteVerified(device, new Set(['recordedProduct affine4 16 lines']), folder);
  expect(linesFor('recordedProduct', head)).toBe(8);
  expect(await readVariants(folder, adapter)).toEqual({ choices: new Map(), refused: new Set(['recordedProduct affine4 16 lines']) });
  await noteVerified(device, new Set(), folder);
  expect((await readVariants(folder, adapter)).refused).toEqual(new Set());
});

it('the check names variants that are wrong, and leaves the default to fail by itself', () => {
  const about = { op: 'recordedProduct', case: 'one', forwardError: 0, gradientError: null, bound: 1e-5 };
  const name = 'recordedProduct affine4 16 lines';
  const results = [
    { ...about, variant: null, ok: false },
    { ...about, variant: name, ok: true },
    { ...about, variant: name, ok: false },
    { ...about, variant: 'linear f16 8 lines', ok: true },
  ];
  expect([...wrongVariants(results)]).toEqual([name]);
});

it('a variant that does not compile is wrong, and a default that does not ends the check', async () => {
  const broken = { name: 'broken', inputs: [{ name: 'x' }], uniforms: [], threads: 64, code: 'fn main() { result[0] = nothing; }' };
  const gelu = opCases.find(({ op }) => op === 'gelu')!;
  const run = ({ x }: Record<string, tf.Tensor>) =>
    tf.engine().makeTensorFromTensorInfo(runProgram(broken, { inputs: [x!], uniforms: {}, outputShape: x!.shape, groups: 1 }));
  const opCase: OpCase = { ...gelu, run, differentiable: [], variant: { op: 'linear', layout: 'f16', lines: 16 } };
  expect(await checkCase(opCase, device)).toMatchObject({ variant: 'linear f16 16 lines', ok: false, forwardError: Infinity });
  await expect(checkCase({ ...opCase, variant: undefined }, device)).rejects.toMatchObject({ code: 'shader-failed' });
});
