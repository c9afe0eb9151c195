/**
 * The bundled models answer what the PyTorch reference answers (`*.correct.json`, made by the reference in f32), on pictures they
 * have not seen about as well, and by guessing when the pictures are shuffled.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deskDataset } from '../../src/desk/data.ts';
import { parseConversations, type DataQuestion } from '../../src/datasets/questions.ts';
import { createEngine } from '../../src/engine/engine.ts';
import { evaluate, shuffleImages } from '../../src/engine/measure/eval.ts';
import { nodeEnginePlatform } from '../../src/headless/node-platform.ts';
import { encodePng } from '../../src/tiling/encode-png.ts';

const folder = new URL('../fixtures/nano-eval/', import.meta.url);
const engine = createEngine(nodeEnginePlatform());
const ask: typeof engine.chat = (request, options) => engine.chat(request, options);
const readImage = (path: string) => readFile(fileURLToPath(new URL(path, folder)));

let questions: DataQuestion[];
beforeAll(async () => {
  ({ questions } = parseConversations(await readFile(new URL('data.json', folder), 'utf8')));
  await engine.openDevice('wasm');
});
afterAll(() => engine.dispose());

/** From the models' cards: all 650 questions, fresh pictures, shuffled pictures. */
const CARDS = {
  'nano-d': { stored: 0.917, fresh: 0.889, shuffled: 0.188 },
  'nano-x': { stored: 0.529, fresh: 0.492, shuffled: 0.218 },
  'nano-h': { stored: 0.651, fresh: 0.623, shuffled: 0.216 },
};

describe.each(Object.entries(CARDS))('%s', (id, { stored, fresh, shuffled }) => {
  beforeAll(async () => {
    await engine.load({ kind: 'bundled', id });
  });

  it('answers the evaluation set as the reference does', async () => {
    expect(questions).toHaveLength(650);
    const { accuracy, answers } = await evaluate(questions, ask, { readImage });
    expect(Math.abs(accuracy - stored)).toBeLessThan(0.01);
    const expected = new Set(JSON.parse(await readFile(new URL(`${id}.correct.json`, folder), 'utf8')) as string[]);
    const different = answers.filter((answer) => answer.correct !== expected.has(answer.id));
    // A near tie may fall either way in other arithmetic.
    expect(different.length).toBeLessThanOrEqual(3);
  });

  it('reads fresh pictures within five points', async () => {
    const { records, pictures } = deskDataset({ count: 100, seed: 1 });
    const images = new Map(pictures.map((picture) => [picture.path, picture]));
    const { accuracy } = await evaluate(parseConversations(JSON.stringify(records)).questions, ask, {
      readImage: async (path) => encodePng(images.get(path)!.draw()),
    });
    expect(Math.abs(accuracy - fresh)).toBeLessThan(0.05);
  });

  it('guesses when the pictures are shuffled', async () => {
    const { accuracy } = await evaluate(shuffleImages(questions).slice(0, 150), ask, { readImage });
    expect(Math.abs(accuracy - shuffled)).toBeLessThan(0.08);
  });
});
