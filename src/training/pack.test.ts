import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import { parseRecords } from '../datasets/llava.ts';
import type { Device } from '../device/types.ts';
import { Session } from '../engine/chat/session.ts';
import { planExamples, tileForModel } from '../engine/runs/plan-examples.ts';
import { sharedRow, sharedRows, sharePrefixes } from '../nvlm/shared-prefix.ts';
import { toPixelValues } from '../tiling/pixel-values.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { parseRun } from './run-config.ts';
import { Trainer } from './trainer.ts';

const record = (id: string, image: string | null, question: string, answer: string) => ({
  id,
  ...(image !== null && { image }),
  conversations: [
    { from: 'human', value: image === null ? question : `<image>\n${question}` },
    { from: 'gpt', value: answer },
  ],
});
/** Two pictures of different sizes with several questions of different lengths, one with a single question, and text. */
const RECORDS = [
  record('a1', '0.png', 'What is it?', 'a cat'),
  record('b1', '1.png', 'What is it?', 'no'),
  record('a2', '0.png', 'What colour has the thing on the left?', 'it is red, and somewhat blue'),
  record('t1', null, 'How much is 1 + 1?', '2'),
  record('a3', '0.png', 'What is it called?', 'x'),
  record('c1', '2.png', 'Count.', '3'),
  record('b2', '1.png', 'And what else is there to be seen?', 'nothing'),
];

/** What a step may train, packed or not. */
const CHANGES: readonly (readonly [name: string, changes: object])[] = [
  ['all that can be trained', {}],
  ['all that can be trained, activation checkpointing', { activation_checkpointing: true }],
  ['an adapter', { lora: { rank: 2, alpha: 4, targets: ['q_proj', 'k_proj', 'v_proj', 'down_proj'] } }],
];

// H has both kinds of visual tokens; a software GPU adapter takes seconds for what wasm does at once.
describe.each([
  ['nvlm-d', 'wasm', RECORDS, CHANGES],
  ['nvlm-x', 'wasm', RECORDS, CHANGES],
  ['nvlm-h', 'wasm', RECORDS, CHANGES],
  ['nvlm-h', 'webgpu', RECORDS.slice(0, 3), CHANGES.slice(2)],
] as const)('packed questions, %s on %s', (name, backend, records, changed) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(() => device.dispose());

  async function stepOf(changes: object) {
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    const session = await Session.open(folder, device);
    // Nothing moves; the first moments are the gradients.
    const optimizer = { lr: 0, weight_decay: 0, clip: 0, betas: [0, 0] };
    const run = parseRun({ model: name, data: 'none', steps: 1, optimizer, ...changes }, 'run');
    const readImage = (path: string) => readFile(join(goldenFolder('data'), path));
    const { examples, problems } = await planExamples(session.requireText(), parseRecords(JSON.stringify(records)).records, readImage, {
      maxTiles: null,
    });
    expect(problems).toEqual([]);
    const trainer = await Trainer.create(session.model, run, device);
    const images = new Map<string, ReturnType<Trainer['prepareImage']>>();
    for (const { image } of examples) {
      if (image === null || images.has(image)) continue;
      const { tiles } = await tileForModel(session.model, await readImage(image), null);
      images.set(image, trainer.prepareImage(toPixelValues(tiles.map(({ pixels }) => pixels)), tiles.length));
    }
    const batch = examples.map(({ plan, image }) => ({ plan, image: image === null ? null : images.get(image)! }));
    const sum = await trainer.evaluate(batch);
    const { loss, gradNorm } = await trainer.step(0, [batch]);
    const gradients = new Map<string, Float32Array>();
    for (const { name: tensor, state } of trainer.tensors) gradients.set(tensor, Float32Array.from(await device.read(state['exp_avg']!)));
    for (const image of images.values()) image.dispose();
    trainer.dispose();
    session.dispose();
    return { sum, loss, gradNorm, gradients };
  }

  it.each(changed)('have the losses and gradients of separate ones: %s', async (_, changes) => {
    const apart = await stepOf(changes);
    const packed = await stepOf({ ...changes, pack: true });
    for (const measure of ['sum', 'loss', 'gradNorm'] as const)
      expect(Math.abs(packed[measure] - apart[measure]), measure).toBeLessThan(1e-5 * apart[measure]);
    expect(packed.gradients.size).toBe(apart.gradients.size);
    for (const [tensor, gradient] of apart.gradients) {
      const other = packed.gradients.get(tensor)!;
      const [off, size] = [Math.hypot(...gradient.map((value, i) => value - other[i]!)), Math.hypot(...gradient)];
      // Of a tensor that hardly matters, rounding is all there is.
      expect(off, tensor).toBeLessThan(1e-5 * Math.max(size, 1e-3 * apart.gradNorm));
    }
  });
});

describe('shared beginnings', () => {
  const sample = (features: object | null, ...ids: number[]) => ({
    features: features as never,
    plan: { inputIds: Int32Array.from(ids), crossMask: new Uint8Array(0), crossTiles: [], crossTagIds: [], sequenceTiles: [] },
  });
  const [one, other] = [{}, {}];

  it('reach as far as all of a picture agree, and leave each a rest', () => {
    const shared = sharePrefixes([
      sample(one, 1, 2, 3, 4),
      sample(null, 1, 2, 3),
      sample(one, 1, 2, 5),
      sample(one, 1, 2),
      sample(other, 1, 2, 3, 4, 5),
    ]);
    expect(shared.prefixes).toEqual([
      { sample: 0, from: 0, to: 1 },
      { sample: 1, from: 0, to: 3 },
      { sample: 4, from: 0, to: 5 },
    ]);
    expect(shared.blocks).toEqual([
      { sample: 0, prefix: 0, from: 1, to: 4 },
      { sample: 2, prefix: 0, from: 1, to: 3 },
      { sample: 3, prefix: 0, from: 1, to: 2 },
    ]);
    expect(sharedRows(shared)).toBe(3 * 5 + 3 * 3);
    expect([sharedRow(shared, 2, 0), sharedRow(shared, 2, 2), sharedRow(shared, 4, 4)]).toEqual([0, 15 + 3 + 1, 14]);
  });

  it('end where rows see other tiles', () => {
    const seeing = (mask: number[], last: number) => {
      const { plan } = sample(null, 1, 2, last);
      return { features: one as never, plan: { ...plan, crossTiles: [0], crossMask: Uint8Array.from(mask) } };
    };
    expect(sharePrefixes([seeing([0, 1, 1], 3), seeing([0, 1, 1], 4)]).prefixes[0]!.to).toBe(2);
    expect(sharePrefixes([seeing([0, 1, 1], 3), seeing([0, 0, 1], 4)]).prefixes[0]!.to).toBe(1);
  });
});
