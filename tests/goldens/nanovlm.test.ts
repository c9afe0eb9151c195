/**
 * nanoVLM against PyTorch (tests/references/nanovlm.py): tiles equal, the whole picture within 1e-6 of its range, prompt text and ids equal,
 * features, logits, greedy ids, adapters and 30 steps of training; its releases with tiles and those that see one.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { Session } from '../../src/engine/chat/session.ts';
import { openTextSide, planConversation } from '../../src/engine/chat/text-side.ts';
import { pixelsOf, tilePicture } from '../../src/engine/chat/tile-picture.ts';
import type { ChatMessage } from '../../src/text/types.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import type { Tiling } from '../../src/tiling/types.ts';
import { openModelFolder, readModelDescription, requireTokenizer } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { openBackend } from '../support/backends.ts';
import { forwardErrors, type GoldenChat } from './check.ts';
import { goldenFolder } from './golden-files.ts';
import { expectPeftLogits } from './peft-adapter.ts';
import { expectGoldenSteps, runGolden } from './training-run.ts';

const [tiled, whole] = [goldenFolder('nanovlm'), goldenFolder('nanovlm-whole')];
const BOUND = 2e-5;
type Chat = GoldenChat & { system?: string | null; promptText: string; tile: string };

const json = async <T>(folder: string, path: string): Promise<T> => JSON.parse(await readFile(join(folder, path), 'utf8')) as T;
const tensors = async (path: string) => parseSafetensors(await readFile(path), path);
const picture = async (name: string) => decodeImage(await readFile(join(tiled, name)));

function messagesOf({ system, prompt }: Pick<Chat, 'system' | 'prompt'>): ChatMessage[] {
  return [...(system ? [{ role: 'system' as const, content: system }] : []), { role: 'user', content: prompt }];
}

/** Of the tile's three planes, which is how the reference holds it. */
function digestOf({ data }: { data: Uint8Array }): string {
  const size = data.length / 3;
  const planes = Uint8Array.from(data, (_, i) => data[3 * (i % size) + Math.floor(i / size)]!);
  return createHash('sha256').update(planes).digest('hex').slice(0, 32);
}

function floats({ bytes }: LoadedTensor): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

function largestDifference(values: Float32Array, expected: Float32Array): number {
  expect(values.length).toBe(expected.length);
  return values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}

describe('pictures', () => {
  it.each([
    ['enlarged', true],
    ['plain', false],
  ] as const)('are cut as the reference cuts them, %s, the whole one first', async (kind, enlarge) => {
    const description = await readModelDescription(nodeFiles(tiled));
    description.config.resize_to_max_side_len = enlarge;
    const { config } = openTextSide(description);
    const expected = (await json<Record<string, Record<string, { grid: number[]; tiles: string[] }>>>(tiled, 'tiles.json'))[kind]!;
    const views = await tensors(join(tiled, 'views.safetensors'));
    for (const [name, { grid, tiles }] of Object.entries(expected)) {
      const tiling = tilePicture(await picture(name), config, null);
      expect([tiling.grid.cols, tiling.grid.rows], name).toEqual(grid);
      expect(tiling.tiles.filter(({ thumbnail }) => !thumbnail).map(({ pixels }) => digestOf(pixels))).toEqual(tiles);
      const view = views.get(`${kind}/${name}`);
      if (!view) continue;
      expect(tiling.tiles[0]).toMatchObject({ thumbnail: true, tag: '<|global_image|>' });
      const pixels = pixelsOf(tiling, config).subarray(0, 3 * 64 * 64);
      expect(largestDifference(pixels, floats(view))).toBeLessThan(1e-6);
      // It is no 8-bit picture: rounded, it would be another one.
      const rounded = pixelsOf({ tiles: [{ ...tiling.tiles[0]!, pixels: { ...tiling.tiles[0]!.pixels, exact: undefined } }] }, config);
      expect(largestDifference(rounded, floats(view))).toBeGreaterThan(1e-3);
    }
  });

  it('reach the encoder as they are, divided by 255', async () => {
    const { config } = openTextSide(await readModelDescription(nodeFiles(tiled)));
    const pixels = pixelsOf(tilePicture(await picture('1.png'), config, null), config);
    const expected = floats((await tensors(join(tiled, 'forward/1.inputs.safetensors'))).get('pixel_values')!);
    const first = 3 * 64 * 64;
    expect(largestDifference(pixels.subarray(0, first), expected.subarray(0, first))).toBeLessThan(1e-6);
    expect(pixels.subarray(first)).toEqual(expected.subarray(first));
  });

  it('have fewer tiles by a shorter side', async () => {
    const { config } = openTextSide(await readModelDescription(nodeFiles(tiled)));
    const wide = await picture('0.png');
    const shapes = [16, 7, 3, 1].map((most) => tilePicture(wide, config, most));
    expect(shapes.map(({ grid, tiles }) => [grid.cols, grid.rows, tiles.length])).toEqual([
      [4, 2, 9],
      [3, 2, 7],
      [2, 1, 3],
      [1, 1, 1],
    ]);
    expect(shapes[3]!.tiles[0]!.tag).toBe('<|global_image|>');
    expect(() => tilePicture(wide, config, 17)).toThrow(/cannot be 17/);
  });
});

describe('prompts', () => {
  const said = (text: ReturnType<typeof openTextSide>, messages: ChatMessage[], pictures: Tiling[]) => {
    const plan = planConversation(text, messages, pictures, true);
    return { promptText: text.tokenizer.decode(plan.inputIds), promptIds: [...plan.inputIds] };
  };

  it('with tiles are the reference’s, with one picture and with two', async () => {
    const text = openTextSide(await readModelDescription(nodeFiles(tiled)));
    const cut = async (name: string) => tilePicture(await picture(name), text.config, null);
    for (const { promptText, promptIds, ...chat } of await json<Chat[]>(tiled, 'chat.json')) {
      expect(said(text, messagesOf(chat), [await cut(chat.image!)])).toEqual({ promptText, promptIds });
    }
    const two = await json<Chat & { images: string[] }>(tiled, 'two-pictures.json');
    const { promptText, promptIds } = two;
    expect(said(text, messagesOf(two), await Promise.all(two.images.map(cut)))).toEqual({ promptText, promptIds });
    expect(text.tokenizer.decode(said(text, [{ role: 'user', content: 'Hi' }], []).promptIds)).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('before one tile has no token: it stands in front of the words under an id beyond the vocabulary', async () => {
    const text = openTextSide(await readModelDescription(nodeFiles(whole)));
    expect(text.config.family.id).toBe('nanovlm-whole');
    for (const { image, prompt, promptIds, tile } of await json<Chat[]>(whole, 'chat.json')) {
      const tiling = tilePicture(await picture(image!), text.config, null);
      expect(tiling.tiles.map(({ pixels }) => digestOf(pixels))).toEqual([tile]);
      expect(said(text, [{ role: 'user', content: prompt }], [tiling]).promptIds).toEqual(promptIds);
    }
    const turns: ChatMessage[] = [
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: 'Two.' },
      { role: 'user', content: 'Left?' },
    ];
    expect(said(text, turns, []).promptText).toBe('Question: One? Answer:Two.<|endoftext|>Question: Left? Answer:');
  });

  it('of the releases between have a token for it, with a template or none', async () => {
    const tiling = async (text: ReturnType<typeof openTextSide>) => tilePicture(await picture('0.png'), text.config, null);
    const later = await json<{ config: object; promptText: string; promptIds: number[] }[]>(whole, 'prompts.json');
    expect(later.length).toBe(2);
    for (const { config, promptText, promptIds } of later) {
      const description = await readModelDescription(nodeFiles(whole));
      Object.assign(description.config, config);
      const text = openTextSide(description);
      expect(said(text, [{ role: 'user', content: 'What colour is the square?' }], [await tiling(text)])).toEqual({
        promptText,
        promptIds,
      });
    }
  });
});

describe('what is refused', () => {
  const parsed = async (change: (config: Record<string, unknown>) => void, folder = tiled) => {
    const description = await readModelDescription(nodeFiles(folder));
    change(description.config);
    return openTextSide(description);
  };

  it.each([
    ['a class token', { vit_cls_flag: true }, 'bad-model', /vit_cls_flag/],
    ['another scale of attention', { lm_attn_scaling: 2 }, 'bad-model', /lm_attn_scaling/],
    ['a side of no whole tiles', { max_img_size: 250 }, 'bad-model', /max_img_size/],
    ['more tiles than tags', { max_img_size: 1024 }, 'bad-model', /max_img_size/],
    ['a tile without a tag', { max_img_size: 320 }, 'bad-model', /r1c5/],
    ['another number of tokens', { mp_image_token_length: 64 }, 'bad-model', /mp_image_token_length/],
    ['heads that do not divide', { lm_n_heads: 5 }, 'bad-model', /lm_n_heads/],
    [
      'tags without a whole picture',
      { vlm_extra_tokens: { image_token: '<|image|>', r1c1: '<row_1_col_1>' } },
      'unsupported-model',
      /global/,
    ],
  ])('%s', async (_, change, code, words) => {
    await expect(parsed((config) => Object.assign(config, change))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words) as string,
    });
  });

  it('a folder without the tokenizer that config.json names, with where to get it', async () => {
    const files = nodeFiles(tiled);
    const bare = {
      ...files,
      readAll: async (path: string, most: number) => (path.startsWith('tokenizer') ? null : files.readAll(path, most)),
    };
    const folder = await openModelFolder(bare);
    expect(folder.warnings).toEqual([expect.stringMatching(/names the one of org\/tiny-llama\. Put tokenizer\.json/)]);
    const device = await openBackend('cpu');
    const session = await Session.open(folder, device);
    expect(() => session.requireText()).toThrow(/names the one of org\/tiny-llama/);
    session.dispose();
    await device.dispose();
    expect(() => requireTokenizer(folder)).toThrow(
      expect.objectContaining({
        code: 'not-found',
        fix: expect.stringMatching(/tokenizer_config\.json of org\/tiny-llama/) as string,
      }) as Error,
    );
  });
});

describe('on wasm', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend('wasm');
  });
  afterAll(() => device.dispose());

  it.each([
    [tiled, 1],
    [whole, 0],
  ])('computes features and logits: %s', async (folder, record) => {
    const errors = await forwardErrors(nodeFiles(folder), device, [record]);
    expect(errors.map(({ output }) => output).sort()).toEqual(['image_features', 'logits']);
    expect(errors.filter(({ error }) => !(error < BOUND))).toEqual([]);
  });

  it.each([tiled, whole])('answers as the reference does, from the picture on: %s', async (folder) => {
    const session = await Session.open(await openModelFolder(nodeFiles(folder)), device);
    try {
      for (const chat of await json<Chat[]>(folder, 'chat.json')) {
        const image = await readFile(join(tiled, chat.image!));
        const ask = { messages: messagesOf(chat), image, sampling: { temperature: 0 }, maxNewTokens: chat.maxNewTokens };
        expect((await session.chat(ask)).ids, chat.image!).toEqual(chat.ids);
      }
      if (folder !== tiled) return;
      const { images, ids, ...two } = await json<Chat & { images: string[] }>(tiled, 'two-pictures.json');
      const [image, other] = await Promise.all(images.map((name) => readFile(join(tiled, name))));
      const ask = {
        messages: messagesOf(two),
        image: image!,
        moreImages: [other!],
        sampling: { temperature: 0 },
        maxNewTokens: ids.length,
      };
      const answer = await session.chat(ask);
      expect(answer.ids).toEqual(ids);
      expect(answer.usage.promptTokens).toBe(two.promptIds.length);
    } finally {
      session.dispose();
    }
  });

  it("takes PEFT's adapter on every linear: put on the model, and merged into one that is written and read again", async () => {
    await expectPeftLogits(tiled, device, BOUND);
  });

  it.each(['sft', 'lora'] as const)('%s takes the same 30 steps as PyTorch', async (stage) => {
    const { steps } = await runGolden('nanovlm', stage, device);
    expect(steps.length).toBe(30);
    await expectGoldenSteps('nanovlm', stage, steps);
  });
});
