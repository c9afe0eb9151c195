/**
 * SmolVLM against transformers (Idefics3's own processor and class): tiles bit-equal, prompt text and ids equal, features and logits, greedy
 * ids; from the published files and from the newer ones.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { Session } from '../../src/engine/chat/session.ts';
import { openTextSide, planConversation } from '../../src/engine/chat/text-side.ts';
import { pixelsOf, tilePicture } from '../../src/engine/chat/tile-picture.ts';
import { forward } from '../../src/engine/measure/forward.ts';
import type { ChatMessage } from '../../src/text/types.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { openBackend } from '../support/backends.ts';
import { forwardErrors, relativeError, type GoldenChat } from './check.ts';
import { goldenFolder } from './golden-files.ts';
import { expectPeftLogits } from './peft-adapter.ts';
import { expectGoldenSteps, runGolden } from './training-run.ts';

const folder = goldenFolder('smolvlm');
const BOUND = 2e-5;
type Chat = GoldenChat & { system: string | null; promptText: string };

const read = (path: string) => readFile(join(folder, path));
const json = async <T>(path: string): Promise<T> => JSON.parse(await readFile(join(folder, path), 'utf8')) as T;

/** The folder without these files. */
function without(...left: string[]): ModelFiles {
  const files = nodeFiles(folder);
  return { ...files, readAll: async (path, most, signal) => (left.includes(path) ? null : files.readAll(path, most, signal)) };
}

const VARIANTS = {
  published: () => without('processor_config.json', 'chat_template.jinja'),
  newer: () => without('preprocessor_config.json', 'chat_template.json'),
};

function messagesOf({ system, prompt }: Chat): ChatMessage[] {
  return [...(system ? [{ role: 'system' as const, content: system }] : []), { role: 'user', content: prompt }];
}

describe.each(Object.entries(VARIANTS))('the %s files', (_, files) => {
  it('cut the tiles and write the prompt as the processor does', async () => {
    const text = openTextSide(await openModelFolder(files()));
    const digests = await json<Record<string, string[]>>('tiles.json');
    for (const chat of await json<Chat[]>('chat.json')) {
      const tiling = tilePicture(await decodeImage(await read(chat.image!)), text.config, null);
      expect(
        tiling.tiles.map(({ pixels }) => digestOf(pixels.data)),
        chat.image!,
      ).toEqual(digests[chat.image!]);
      const plan = planConversation(text, messagesOf(chat), [tiling], true);
      expect(text.tokenizer.decode(plan.inputIds)).toBe(chat.promptText);
      expect([...plan.inputIds]).toEqual(chat.promptIds);
    }
  });
});

/** Of the tile's three planes, which is how the reference holds it. */
function digestOf(data: Uint8Array): string {
  const planes = new Uint8Array(data.length);
  const size = data.length / 3;
  for (let i = 0; i < size; i++) for (let channel = 0; channel < 3; channel++) planes[channel * size + i] = data[3 * i + channel]!;
  return createHash('sha256').update(planes).digest('hex').slice(0, 32);
}

it('takes fewer tiles by a shorter longest edge', async () => {
  const { config } = openTextSide(await openModelFolder(nodeFiles(folder)));
  const picture = await decodeImage(await read('0.png'));
  const grids = [16, 7, 3, 1]
    .map((most) => tilePicture(picture, config, most))
    .map(({ grid, tiles }) => [grid.cols, grid.rows, tiles.length]);
  expect(grids).toEqual([
    [4, 2, 9],
    [3, 2, 7],
    [2, 1, 3],
    [1, 1, 1],
  ]);
  expect(tilePicture(picture, config, 3).grid.candidates).toHaveLength(1);
  expect(() => tilePicture(picture, config, 17)).toThrow(/cannot be 17/);
});

it('reads several pictures where the messages have them, each as a part of its own', async () => {
  const text = openTextSide(await openModelFolder(nodeFiles(folder)));
  const picture = tilePicture(await decodeImage(await read('2.png')), text.config, 1);
  const said = (messages: ChatMessage[], pictures: number) =>
    text.tokenizer
      .decode(planConversation(text, messages, new Array(pictures).fill(picture), true).inputIds)
      .replaceAll('<image><image><image><image>', '…');
  const block = '<fake_token_around_image><global-img>…<fake_token_around_image>';
  expect(said([{ role: 'user', content: 'One?' }], 2)).toBe(`<|im_start|>User:${block}${block}One?<end_of_utterance>\nAssistant:`);
  const turns: ChatMessage[] = [
    { role: 'user', content: '<image>\nThis?' },
    { role: 'assistant', content: 'Yes.' },
    { role: 'user', content: 'And <image>?' },
  ];
  expect(said(turns, 2)).toBe(
    `<|im_start|>User:${block}This?<end_of_utterance>\nAssistant: Yes.<end_of_utterance>\nUser: And ${block}?<end_of_utterance>\nAssistant:`,
  );
  expect(said([{ role: 'user', content: 'Hi' }], 0)).toBe('<|im_start|>User: Hi<end_of_utterance>\nAssistant:');
});

describe('on wasm', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it('computes features and logits', async () => {
    const errors = await forwardErrors(nodeFiles(folder), device, [1]);
    expect(errors.map(({ output }) => output).sort()).toEqual(['image_features', 'logits']);
    expect(errors.filter(({ error }) => !(error < BOUND))).toEqual([]);
  });

  it('answers as the reference does, from the picture on', async () => {
    const session = await Session.open(await openModelFolder(nodeFiles(folder)), device);
    const [first, ...others] = await json<Chat[]>('chat.json');
    try {
      const tiling = tilePicture(await decodeImage(await read(first!.image!)), session.config, null);
      const shape = [tiling.tiles.length, 3, 128, 128];
      const inputs = new Map([
        ['input_ids', loaded('I32', [first!.promptIds.length], Int32Array.from(first!.promptIds))],
        ['pixel_values', loaded('F32', shape, pixelsOf(tiling, session.config))],
      ]);
      const outputs = await forward(session.model, device, inputs);
      const expected = parseSafetensors(await read('forward/0.outputs.safetensors'), 'expected');
      for (const { name, data } of outputs) expect(relativeError(data as Float32Array, expected.get(name)!), name).toBeLessThan(BOUND);
      for (const chat of [first!, ...others.slice(0, 2)]) {
        const image = await read(chat.image!);
        const { ids } = await session.chat({
          messages: messagesOf(chat),
          image,
          sampling: { temperature: 0 },
          maxNewTokens: chat.maxNewTokens,
        });
        expect(ids).toEqual(chat.ids);
      }
      // Made by tests/references/smolvlm.py. The second picture is new, the first is known; then both are gone and come back.
      const { images, prompt, ids, promptTokens } = await json<{ images: string[]; prompt: string; ids: number[]; promptTokens: number }>(
        'two-pictures.json',
      );
      const [image, other] = await Promise.all(images.map(read));
      const ask = { messages: [{ role: 'user' as const, content: prompt }], sampling: { temperature: 0 }, maxNewTokens: ids.length };
      for (const more of [[other!], [], [other!]]) {
        const answer = await session.chat({ ...ask, image: image!, moreImages: more });
        expect(answer.ids).toEqual(more.length > 0 ? ids : first!.ids);
        if (more.length > 0) expect(answer.usage.promptTokens).toBe(promptTokens);
      }
    } finally {
      session.dispose();
    }
  });
});

describe("PEFT's adapter on every linear, vision encoder and connector too", () => {
  it('gives its logits: put on the model, and merged into one that is written and read again', async () => {
    const device = await openBackend('wasm');
    try {
      await expectPeftLogits(folder, device, BOUND);
    } finally {
      await device.dispose();
    }
  });
});

function loaded(dtype: 'I32' | 'F32', shape: number[], values: Int32Array | Float32Array) {
  return { name: '', dtype, shape, bytes: new Uint8Array(values.buffer) };
}

/** Traces of tests/references/smolvlm.py (PyTorch, PEFT). */
describe('training on wasm', () => {
  it.each(['sft', 'lora'] as const)('%s takes the same 30 steps as PyTorch', async (stage) => {
    const device = await openBackend('wasm');
    try {
      const { steps } = await runGolden('smolvlm', stage, device);
      expect(steps.length).toBe(30);
      await expectGoldenSteps('smolvlm', stage, steps);
    } finally {
      await device.dispose();
    }
  });
});
