/**
 * The bundled models answer what the PyTorch reference answers (`*.correct.json`, made by the reference in f32), on pictures they
 * have not seen about as well, and by guessing when the pictures are shuffled.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deskDataset } from '../../src/desk/data.ts';
import { deskExamples } from '../../src/desk/examples.ts';
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

/** Questions that the reference answers right and this does not, or the other way round: a near tie may fall either way. */
async function differences(id: string, answers: readonly { id: string; correct: boolean }[]): Promise<number> {
  const expected = new Set(JSON.parse(await readFile(new URL(`${id}.correct.json`, folder), 'utf8')) as string[]);
  return answers.filter((answer) => answer.correct !== expected.has(answer.id)).length;
}

/** From the models' cards: all 650 questions, fresh pictures, shuffled pictures. */
const CARDS = {
  'nano-d': { stored: 0.906, fresh: 0.923, shuffled: 0.182 },
  'nano-x': { stored: 0.882, fresh: 0.865, shuffled: 0.192 },
  'nano-h': { stored: 0.828, fresh: 0.829, shuffled: 0.196 },
};

it('nano-base answers one tile and text as the reference does', async () => {
  await engine.load({ kind: 'bundled', id: 'nano-base' });
  const records = JSON.parse(await readFile(new URL('data.json', folder), 'utf8')) as { id: string; tiles?: number }[];
  const tiles = new Map(records.map((record) => [record.id, record.tiles]));
  const seen = questions.filter(({ id, image }) => image === null || tiles.get(id) === 1);
  expect(seen).toHaveLength(230);
  const { answers } = await evaluate(seen, ask, { readImage });
  expect(await differences('nano-base', answers)).toBeLessThanOrEqual(2);
});

it('nano-d answers every starter question of the examples', async () => {
  await engine.load({ kind: 'bundled', id: 'nano-d' });
  const wrong: string[] = [];
  for (const { id, suggestedQuestions, draw } of deskExamples()) {
    const image = await encodePng(draw());
    for (const { question, answer } of suggestedQuestions) {
      const messages = [{ role: 'user' as const, content: question }];
      const { text } = await engine.chat({ messages, image, sampling: { temperature: 0 }, maxNewTokens: 96 });
      if (text.trim() !== answer) wrong.push(`${id}: ${question} ${text}`);
    }
  }
  expect(wrong).toEqual([]);
});

describe.each(Object.entries(CARDS))('%s', (id, { stored, fresh, shuffled }) => {
  beforeAll(async () => {
    await engine.load({ kind: 'bundled', id });
  });

  it('answers the evaluation set as the reference does', async () => {
    expect(questions).toHaveLength(650);
    const { accuracy, answers } = await evaluate(questions, ask, { readImage });
    expect(Math.abs(accuracy - stored)).toBeLessThan(0.01);
    expect(await differences(id, answers)).toBeLessThanOrEqual(3);
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
