import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { nodePlatform } from '../device/node.ts';
import { MemoryFolder } from '../files/memory-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { ChatEvent, ChatRequest, Engine } from './api.ts';
import { BUNDLED_MODELS } from './models/bundled-models.ts';
import { createEngine } from './engine.ts';
import { sourceId, type EnginePlatform } from './platform.ts';

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

const platform: EnginePlatform = {
  device: nodePlatform(),
  openFiles: async (source) => nodeFiles(source.kind === 'bundled' ? path(`public/models/${source.id}`) : sourceId(source)),
  hub: {},
  store: async () => null,
  kept: async () => new MemoryFolder(),
  files: async () => new MemoryFolder(),
};

const ask = (content: string, image: Uint8Array | null = null): ChatRequest => ({
  messages: [{ role: 'user', content }],
  image,
  sampling: { temperature: 0 },
  maxNewTokens: 40,
});

describe('engine on wasm', () => {
  let engine: Engine;
  let note: Uint8Array;
  beforeAll(async () => {
    note = await readFile(path('tests/fixtures/nano-eval/images/000.png'));
    engine = createEngine(platform);
    await engine.openDevice('wasm');
    await engine.load({ kind: 'bundled', id: 'nano-d' });
  });
  afterAll(() => engine.dispose());

  it('lists the bundled models with their true sizes', async () => {
    for (const model of BUNDLED_MODELS) {
      const manifest = JSON.parse(await readFile(path(`public/models/${model.id}/manifest.json`), 'utf8')) as { size: number }[];
      expect(model.bytes).toBe(manifest.reduce((sum, { size }) => sum + size, 0));
    }
    const entries = await engine.models();
    expect(entries.map(({ id, loaded }) => [id, loaded])).toEqual([
      ['nano-d', true],
      ['nano-x', false],
      ['nano-h', false],
    ]);
    // A start for studies is not offered to talk to.
    expect(BUNDLED_MODELS.map(({ id }) => id)).toContain('nano-base');
  });

  it('reads a picture and streams the answer it returns', async () => {
    const events: ChatEvent[] = [];
    const result = await engine.chat(ask('Read everything.', note), { onEvent: (event) => events.push(event) });
    expect(result.text).toBe('WCD\nEG3T');
    expect(result).toMatchObject({ finishReason: 'stop', backend: 'wasm', adapter: null });
    expect(result.usage).toEqual({ promptTokens: 31, visualTokens: 16, completionTokens: result.ids.length });
    const tokens = events.filter((event) => event.type === 'token');
    expect(tokens.map(({ text }) => text).join('')).toBe(result.text);
    expect(tokens.map(({ id }) => id)).toEqual(result.ids);
    const stages = events.filter((event) => event.type === 'stage').map(({ stage }) => stage);
    expect([...new Set(stages)]).toEqual(['image', 'vision', 'prefill', 'decode']);
  });

  it('answers a follow-up from the cache as from scratch', async () => {
    const first = await engine.chat(ask('Read everything.', note));
    const followUp: ChatRequest = {
      ...ask('', note),
      messages: [
        { role: 'user', content: 'Read everything.' },
        { role: 'assistant', content: first.text },
        { role: 'user', content: 'How many codes are there?' },
      ],
    };
    const cached = await engine.chat(followUp);
    await engine.load({ kind: 'bundled', id: 'nano-d' });
    expect((await engine.chat(followUp)).ids).toEqual(cached.ids);
  });

  it('keeps what was said when it is stopped, and answers again afterwards', async () => {
    const controller = new AbortController();
    const result = await engine.chat(ask('Read everything.', note), {
      signal: controller.signal,
      onEvent: ({ type }) => type === 'token' && controller.abort(),
    });
    expect(result.finishReason).toBe('cancelled');
    expect(result.ids.length).toBeGreaterThan(0);
    expect('WCD\nEG3T'.startsWith(result.text)).toBe(true);
    expect((await engine.chat(ask('Read everything.', note))).text).toBe('WCD\nEG3T');
  });

  it('stops before the first token with the cancelled error', async () => {
    await expect(engine.chat(ask('Hello!', note), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('cuts an answer at the length asked for', async () => {
    const result = await engine.chat({ ...ask('Read everything.', note), maxNewTokens: 2 });
    expect(result).toMatchObject({ finishReason: 'length', text: 'WC' });
  });

  it.each([
    ['an empty question', ask('  '), 'empty-prompt'],
    ['a question longer than the context', ask('code '.repeat(1200)), 'prompt-too-long'],
    ['a file that is no image', ask('Hi!', new TextEncoder().encode('hello')), 'bad-image'],
    ['a negative temperature', { ...ask('Hi!'), sampling: { temperature: -1 } }, 'usage'],
    ['an answer of no length', { ...ask('Hi!'), maxNewTokens: 0 }, 'usage'],
  ])('refuses %s and stays usable', async (_, request, code) => {
    await expect(engine.chat(request)).rejects.toMatchObject({ code, fix: expect.stringMatching(/./) });
    expect((await engine.chat(ask('What is the capital of France?'))).text).toBe('Paris');
  });

  it('keeps the loaded model when another cannot be loaded', async () => {
    await expect(engine.load({ kind: 'folder', path: path('src') })).rejects.toMatchObject({ code: 'not-found' });
    expect((await engine.chat(ask('What is the capital of Italy?'))).text).toBe('Rome');
  });

  it('holds memory still over many answers', async () => {
    await engine.chat(ask('Read everything.', note));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) await engine.chat(ask(i % 2 ? 'Read everything.' : 'What kind of picture is this?', note));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says that no model is loaded', async () => {
    await engine.unload();
    await expect(engine.chat(ask('Hi!'))).rejects.toMatchObject({ code: 'not-found' });
    await engine.load({ kind: 'bundled', id: 'nano-d' });
  });

  it('keeps models in memory beside each other as long as it is told to, each with its own answers', async () => {
    const question = ask('Read everything.', note);
    const [d, x] = [
      { kind: 'bundled', id: 'nano-d' },
      { kind: 'bundled', id: 'nano-x' },
    ] as const;
    const alone = tf.memory().numBytes;
    const first = await engine.chat(question);
    await engine.load(x, { beside: ['nano-d'] });
    const other = await engine.chat(question);
    const both = tf.memory().numBytes;
    expect(both).toBeGreaterThan(alone * 1.5);

    // Nothing is read again, and the one that comes back knows the picture.
    let stages: string[] = [];
    const back = await engine.load(d, { beside: ['nano-x'], onProgress: ({ stage }) => stages.push(stage) });
    expect(stages).toEqual(['ready']);
    expect(back.entry).toMatchObject({ id: 'nano-d', loaded: true });
    expect((await engine.models()).filter(({ loaded }) => loaded).map(({ id }) => id)).toEqual(['nano-d']);
    stages = [];
    expect((await engine.chat({ ...question, maxNewTokens: 64 })).ids).toEqual(first.ids);
    await engine.load(x, { beside: ['nano-d'] });
    expect((await engine.chat(question)).ids).toEqual(other.ids);
    // Other settings are another model.
    await engine.load(d, { beside: ['nano-x'], contextLength: 600, onProgress: ({ stage }) => stages.push(stage) });
    expect(stages).toContain('weights');
    expect(tf.memory().numBytes).toBeLessThan(both * 1.2);

    // Whoever is not named goes; the one that answers stays.
    await engine.load(d, { beside: [], contextLength: 600 });
    expect(tf.memory().numBytes).toBeLessThan(alone * 1.2);
    await engine.load(x, { beside: ['nano-d'] });
    await engine.unload();
    expect(tf.memory().numBytes).toBeLessThan(alone / 10);
    await engine.load(d);
  });

  it('inspects without the device, with a model’s own tokenizer', async () => {
    const inspection = await engine.inspect({ image: note, model: 'nano-d', prompt: 'Read everything.' });
    expect(inspection.geometry).toMatchObject({ model: 'nano-d', tileSize: 112 });
    expect(inspection.plans.D.counts.decoderTokens).toBe(31);
  });
});

describe('a lost device', () => {
  it('is said, and everything works again on a new one', async () => {
    const engine = createEngine(platform);
    await engine.openDevice('webgpu');
    await engine.load({ kind: 'bundled', id: 'nano-d' });
    (tf.backend() as unknown as { device: GPUDevice }).device.destroy();
    await expect(engine.chat(ask('Hello!'))).rejects.toMatchObject({ code: 'device-lost' });
    await expect(engine.chat(ask('Hello!'))).rejects.toMatchObject({ code: 'device-lost' });
    await engine.openDevice('wasm');
    await engine.load({ kind: 'bundled', id: 'nano-d' });
    expect((await engine.chat(ask('Hello!'))).text).toBe('Hello! Show me a picture.');
    await engine.dispose();
  });
});

describe('every backend', () => {
  it.each(['nano-d', 'nano-x', 'nano-h'])('gives the same greedy text with %s', async (id) => {
    const engine = createEngine(platform);
    const image = await readFile(path('tests/fixtures/nano-eval/images/002.png'));
    const answers: string[][] = [];
    for (const backend of ['wasm', 'cpu', 'webgpu'] as const) {
      await engine.openDevice(backend);
      await engine.load({ kind: 'bundled', id });
      const compiled = backend === 'webgpu' ? vi.spyOn((tf.backend() as WebGPUBackend).device, 'createComputePipeline') : null;
      const texts: string[] = [];
      for (const question of ['Read everything.', 'What kind of picture is this?']) {
        texts.push((await engine.chat(ask(question, image))).text);
        // The first question of all waits for no program: the load has compiled them.
        if (texts.length === 1) expect(compiled?.mock.calls.map(([{ label }]) => label) ?? []).toEqual([]);
      }
      answers.push(texts);
    }
    await engine.dispose();
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });
});
