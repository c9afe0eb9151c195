/** What an efficiency cell says of tokens and cache is what the models really hold; shapes are measured without a model's files. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openBackend } from '../../../tests/support/backends.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { planConversation } from '../chat/text-side.ts';
import { Session } from '../chat/session.ts';
import { cellsOf, modelOf, tilesOf, type LabChoice } from './cells.ts';
import { runEfficiencyCell } from './efficiency.ts';
import { parseExperiment } from './experiment.ts';
import type { LabHost } from './run-cell.ts';

const goldens = fileURLToPath(new URL('../../../tests/fixtures/goldens/', import.meta.url));
const TILES = 2;

function fileOf(scale: object, level: object = {}): object {
  return {
    name: 'cost',
    question: 'What does it cost?',
    paper: 'Some.',
    kind: 'efficiency',
    factor: 'architecture',
    reference: 'D',
    levels: ['D', 'X', 'H'].map((letter) => ({ level: letter, model: `nvlm-${letter.toLowerCase()}`, ...level })),
    tiles: [1, TILES],
    seeds: [1],
    scales: { only: { steps: 1, seeds: 1, tiles: [TILES], ...scale } },
  };
}

const choice: LabChoice = { scale: null, seeds: null };

it('counts the tokens and the cache that the models hold after the same prompt', async () => {
  const experiment = parseExperiment(fileOf({}), 'cost');
  if (experiment.kind !== 'efficiency') throw new Error('an efficiency experiment');
  const device = await openBackend('wasm');
  const open = async (model: string) => openModelFolder(nodeFiles(join(goldens, model)));
  const host = { files: new MemoryFolder(), alone: async (_signal, work) => work(device, open) } as Pick<
    LabHost,
    'files' | 'alone'
  > as LabHost;
  try {
    for (const cell of cellsOf(experiment, choice)) {
      const { metrics } = await runEfficiencyCell(host, experiment, choice, cell);
      const session = await Session.open(await open(`nvlm-${cell.level.toLowerCase()}`), device);
      const { tileSize } = session.config;
      const picture = { width: TILES * tileSize, height: tileSize, data: new Uint8Array(3 * TILES * tileSize ** 2) };
      const { tiling, features } = await session.encode(picture, TILES);
      const plan = planConversation(session.requireText(), [{ role: 'user', content: 'Read everything.' }], [tiling], true);
      const cache = session.model.newCache(1);
      session.model.prefill([{ plan, features }], cache, 'last').dispose();
      const cross = [...(cache.cross?.layers.values() ?? [])];
      const width = cache.keys(0)!.shape[2];
      const held = session.config.llm.layers * cache.lengths[0]! + cross.reduce((sum, { k }) => sum + k.shape[1]!, 0);
      expect(metrics['decoder tokens, 2 tiles']).toBe(cache.lengths[0]);
      expect(metrics['cross-attention tokens, 2 tiles']).toBe(cross[0]?.k.shape[1] ?? 0);
      // Keys and values, two bytes each.
      expect(metrics['KV cache, bytes in f16, 2 tiles']).toBe(2 * 2 * width * held);
      for (const metric of ['training step, ms', 'vision, ms', 'prefill, ms', 'decode, ms a token'])
        expect(metrics[`${metric}, 2 tiles`]).toBeGreaterThan(0);
      cache.dispose();
      features.dispose();
      session.dispose();
    }
  } finally {
    await device.dispose();
  }
});

it('a scale of real shapes takes random weights, and of the tiles those that it names', () => {
  const experiment = parseExperiment(fileOf({ shapes: 'real' }, { shape: 'nvlm-h-0.5b' }), 'cost');
  if (experiment.kind !== 'efficiency') throw new Error('an efficiency experiment');
  expect(modelOf(experiment, choice, 'X')).toEqual({ shape: 'nvlm-h-0.5b' });
  expect(tilesOf(experiment, choice)).toEqual([TILES]);
});

it('a scale of real shapes may take fewer layers at their widths', () => {
  const experiment = parseExperiment(fileOf({ shapes: 'real', layers: 2 }, { shape: 'nvlm-h-0.5b' }), 'cost');
  if (experiment.kind !== 'efficiency') throw new Error('an efficiency experiment');
  expect(modelOf(experiment, choice, 'X')).toEqual({ shape: 'nvlm-h-0.5b', layers: 2 });
});

it.each([
  ['a shape that is missing', fileOf({ shapes: 'real' }), 'lacks a "shape"'],
  ['a shape that nobody knows', fileOf({}, { shape: 'nvlm-z' }), 'is not one of'],
  ['layers of models that have theirs', fileOf({ layers: 2 }), 'has "layers"'],
  ['tiles that the experiment does not have', fileOf({ tiles: [3] }), 'that "tiles" does not name'],
])('refuses %s', (_, file, words) => {
  expect(() => parseExperiment(file, 'cost')).toThrow(words);
});
