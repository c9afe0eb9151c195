import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { nodePlatform } from '../../device/node.ts';
import { standInTokenizerJson } from '../../text/stand-in-tokenizer.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import type { Engine } from '../api.ts';
import { createEngine } from '../engine.ts';
import { sourceId } from '../platform.ts';
import type { InsideChanges, InsideRequest, WorthEvent } from './inside-api.ts';
import { sharesOf } from './key-runs.ts';
import { wholeTiles } from './regions.ts';

const data = (name: string) => readFile(fileURLToPath(new URL(`../../../tests/fixtures/goldens/data/${name}`, import.meta.url)));
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

/** A golden folder that has weights alone, with a tokenizer of bytes and these tokens behind them. */
function withTokenizer(name: string, tokens: readonly string[]): ModelFiles {
  const files = nodeFiles(goldenFolder(name));
  const controlTokens = Object.fromEntries(tokens.map((token, at) => [token, 256 + at]));
  const added: Record<string, Uint8Array> = {
    'tokenizer.json': new TextEncoder().encode(JSON.stringify(standInTokenizerJson(controlTokens, 256))),
    'tokenizer_config.json': new TextEncoder().encode(
      JSON.stringify({
        tokenizer_class: 'PreTrainedTokenizerFast',
        eos_token: '<|im_end|>',
        chat_template: "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{{ 'assistant: ' }}",
      }),
    ),
  };
  return {
    ...files,
    size: async (path) => added[path]?.length ?? files.size(path),
    read: async (path, start, end, signal) => added[path]?.slice(start, end) ?? files.read(path, start, end, signal),
    readAll: async (path, most, signal) => added[path]?.slice() ?? files.readAll(path, most, signal),
  };
}

const MARKS = ['<|im_start|>', '<|im_end|>', '<|endoftext|>', '<img>', '</img>', '<IMG_CONTEXT>'];
const FOLDERS: Record<string, () => ModelFiles> = {
  internvl: () => withTokenizer('internvl', MARKS),
  'text/qwen2': () => withTokenizer('text/qwen2', MARKS.slice(0, 3)),
};
const sees = (name: string) => !name.startsWith('text/');
const isNvlm = (name: string) => name.startsWith('nvlm');
/** Tiles small enough to answer often about in a test. */
const isQuick = (name: string) => isNvlm(name) || name === 'smolvlm' || name === 'nanovlm';

describe.each(['nvlm-d', 'nvlm-x', 'nvlm-h', 'smolvlm', 'nanovlm', 'internvl', 'text/qwen2'])('%s, seen from inside', (name) => {
  let engine: Engine;
  let request: InsideRequest;
  beforeAll(async () => {
    engine = createEngine({
      device: nodePlatform(),
      openFiles: async (source) => FOLDERS[name]?.() ?? nodeFiles(sourceId(source)),
      hub: {},
      store: async () => null,
      kept: async () => new MemoryFolder(),
      files: async () => new MemoryFolder(),
    });
    await engine.openDevice('wasm');
    await engine.load({ kind: 'folder', path: goldenFolder(name) });
    request = {
      messages: [{ role: 'user', content: 'What is it?' }],
      image: sees(name) ? await data('0.png') : null,
      maxTiles: isNvlm(name) ? undefined : 2,
      maxNewTokens: 5,
    };
  });
  afterAll(() => engine.dispose());

  it.each(['a picture', 'text alone'])(
    'says where each token looked at %s, in shares that sum to one, and leaves the chat its answer and its memory',
    async (about) => {
      await looksAround(about === 'a picture' ? request : { ...request, image: null });
    },
  );

  async function looksAround(request: InsideRequest): Promise<void> {
    const chat = () => engine.chat({ ...request, sampling: { temperature: 0 } });
    const before = await chat();
    const { numTensors } = tf.memory();
    const about = await engine.insideOpen(request);
    expect(about.answer.map(({ id }) => id)).toEqual(before.ids);
    for (const kind of ['self', 'cross'] as const) {
      if (about.layers[kind].length === 0) continue;
      const { values, rows, keys } = await engine.insideAttention({ trace: about.trace, kind, how: 'mean' });
      expect(rows).toBe(about.answer.length);
      expect(keys).toBe(about.keys[kind].at(-1)!.end);
      for (let row = 0; row < rows; row++) {
        const shares = sharesOf(values.subarray(row * keys, (row + 1) * keys), about.keys[kind]);
        expect(sum(shares.map(({ share }) => share))).toBeCloseTo(1, 5);
      }
      // A head is a part of the mean.
      const heads = await engine.insideHeads({ trace: about.trace, kind });
      const mean = new Float32Array(keys);
      heads.values.forEach((value, at) => (mean[at % keys]! += value / (heads.layers.length * heads.heads)));
      const all = new Float32Array(keys);
      values.forEach((value, at) => (all[at % keys]! += value / rows));
      mean.forEach((value, key) => expect(value).toBeCloseTo(all[key]!, 5));
    }
    await engine.insideClose();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(await chat()).toMatchObject({ ids: before.ids });
    await expect(engine.insideLens(about.trace)).rejects.toMatchObject({ code: 'not-found' });
  }

  it('refuses to look for what the model has not got', async () => {
    const about = await engine.insideOpen({ ...request, image: null });
    const refused = { code: 'usage', fix: expect.stringMatching(/./) };
    const regions = wholeTiles(1);
    await expect(engine.insideWorth({ trace: about.trace, regions }, { onEvent: () => undefined })).rejects.toMatchObject(refused);
    await expect(engine.insideLens(about.trace)).rejects.toMatchObject(refused);
    await expect(engine.insideAgain(about.trace, { hide: [0] }, 5)).rejects.toMatchObject({ ...refused, message: 'There is no tile 0.' });
    await expect(engine.insideAttention({ trace: about.trace, kind: 'self', layers: [99], how: 'mean' })).rejects.toMatchObject(refused);
    if (about.layers.cross.length > 0) return;
    await expect(engine.insideAgain(about.trace, { gates: { 0: 0 } }, 5)).rejects.toMatchObject({
      ...refused,
      message: 'Layer 0 has no gate.',
    });
    await expect(engine.insideAttention({ trace: about.trace, kind: 'cross', how: 'mean' })).rejects.toMatchObject(refused);
    if (sees(name)) return;
    await expect(engine.insideOpen({ ...request, image: await data('0.png') })).rejects.toMatchObject(refused);
  });

  if (isQuick(name)) {
    it('answers as before under changes that change nothing, and otherwise under others', async () => {
      const about = await engine.insideOpen(request);
      const again = (changes: Parameters<Engine['insideAgain']>[1]) => engine.insideAgain(about.trace, changes, 5);
      const regular = about.layout!.tiles.filter(({ thumbnail }) => !thumbnail).map(({ index }) => index);
      const gates = Object.fromEntries(about.gates.map(({ layer, learnt }) => [layer, learnt]));
      const same = await again({
        gates,
        hide: [],
        order: [...regular.keys()],
        tagFormat: isNvlm(name) ? '1d' : (({ smolvlm: 'row-col', nanovlm: 'row-col-global' } as const)[name] ?? 'none'),
      });
      expect(same.text).toBe(about.text);
      same.firstLogp.forEach((logp, at) => expect(logp).toBeCloseTo(about.answer[at]!.logp, 4));

      const difference = async (change: InsideChanges) => {
        const { firstLogp } = await again(change);
        return Math.max(...firstLogp.map((logp, at) => Math.abs(logp - about.answer[at]!.logp)));
      };
      const changes: InsideChanges[] = [
        { hide: [0] },
        { tagFormat: '2d-grid' as const },
        ...about.gates.map(({ layer }) => ({ gates: { [layer]: 0 } })),
      ];
      for (const change of changes) expect(await difference(change), JSON.stringify(change)).toBeGreaterThan(1e-3);
      // In H nothing binds a tile to its tag: among the keys of cross-attention the tiles have no order.
      const shuffled = await difference({ order: [...regular.keys()].reverse() });
      if (name === 'nvlm-h') expect(shuffled).toBeLessThan(1e-4);
      else expect(shuffled).toBeGreaterThan(1e-3);
      // What a tile is worth, and what its hiding costs, is the same thing.
      const events: WorthEvent[] = [];
      await engine.insideWorth({ trace: about.trace, regions: wholeTiles(1) }, { onEvent: (event) => events.push(event) });
      const hidden = await again({ hide: [0] });
      events[0]!.worth.forEach((worth, at) => expect(worth).toBeCloseTo(about.answer[at]!.logp - hidden.firstLogp[at]!, 4));
      await expect(again({ gates: { 99: 0 } })).rejects.toMatchObject({ code: 'usage' });
      await expect(again({ hide: [99] })).rejects.toMatchObject({ code: 'usage' });
      await expect(again({ order: [0, 0] })).rejects.toMatchObject({ code: 'usage' });
    });

    it('stops between two regions when it is told to', async () => {
      const about = await engine.insideOpen(request);
      const stop = new AbortController();
      let seen = 0;
      const onEvent = () => {
        seen++;
        stop.abort();
      };
      const regions = wholeTiles(about.layout!.tiles.length);
      await expect(engine.insideWorth({ trace: about.trace, regions }, { signal: stop.signal, onEvent })).rejects.toMatchObject({
        code: 'cancelled',
      });
      expect(seen).toBe(1);
      await expect(
        engine.insideWorth({ trace: about.trace, regions: [[{ tile: 0, box: { x: 0, y: 0, width: 999, height: 1 } }]] }, { onEvent }),
      ).rejects.toMatchObject({ code: 'usage' });
    });
  }
});
