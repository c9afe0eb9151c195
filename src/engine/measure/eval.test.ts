import { describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import type { ChatRequest, ChatResult } from '../api.ts';
import type { DataQuestion } from '../../datasets/questions.ts';
import { evaluate, shuffleImages } from './eval.ts';

const ask = (id: string, image: string | null, answer: string, task = 'read'): DataQuestion => ({
  id,
  task,
  image,
  messages: [{ role: 'user', content: id }],
  answer,
});

/** Answers what the picture's bytes spell; `<none>` without a picture. */
function reader(log: string[] = []) {
  return async ({ image, messages }: ChatRequest): Promise<ChatResult> => {
    const text = image ? new TextDecoder().decode(image) : '<none>';
    if (text === 'broken') throw new NvlmError('bad-image', 'Not an image.', 'Use another.');
    log.push(messages[0]!.content);
    return {
      text: `${text}\n`,
      ids: [],
      finishReason: 'stop',
      usage: { promptTokens: 0, visualTokens: 0, completionTokens: 0 },
      timings: { loadMs: 0, visionMs: 0, prefillMs: 0, decodeMs: 0, firstTokenMs: 0 },
      backend: 'cpu',
      adapter: null,
    };
  };
}

/** A picture's bytes spell its path. */
const readImage = async (path: string) => new TextEncoder().encode(path);

describe('evaluate', () => {
  it('scores whole answers by task; chance is the most frequent answer of the task', async () => {
    const questions = [ask('1', 'A', 'A'), ask('2', 'B', 'B'), ask('3', 'C', 'A'), ask('4', null, '<none>', 'text')];
    const { tasks, accuracy, answers } = await evaluate(questions, reader(), { readImage });
    expect(tasks).toEqual({
      read: { n: 3, correct: 2, accuracy: 2 / 3, chance: 2 / 3 },
      text: { n: 1, correct: 1, accuracy: 1, chance: 1 },
    });
    expect(accuracy).toBe(3 / 4);
    expect(answers.map(({ id, correct }) => [id, correct])).toEqual([
      ['1', true],
      ['2', true],
      ['3', false],
      ['4', true],
    ]);
    // Part of the answer is not the answer.
    expect((await evaluate([ask('1', 'AB', 'A')], reader(), { readImage })).accuracy).toBe(0);
  });

  it('asks all questions about a picture before the next, reads it once, and reports in the given order', async () => {
    const log: string[] = [];
    const read: string[] = [];
    const questions = [ask('1', 'A', 'A'), ask('2', 'B', 'B'), ask('3', 'A', 'A')];
    const done: number[] = [];
    const { answers } = await evaluate(questions, reader(log), {
      readImage: (path) => (read.push(path), readImage(path)),
      onProgress: (count) => done.push(count),
    });
    expect(log).toEqual(['1', '3', '2']);
    expect(read).toEqual(['A', 'B']);
    expect(answers.map(({ id }) => id)).toEqual(['1', '2', '3']);
    expect(done).toEqual([1, 2, 3]);
  });

  it('leaves out questions whose picture is missing or broken, and fails when none is left', async () => {
    const missing = async (path: string) => {
      if (path === 'gone') throw new NvlmError('not-found', 'There is no file "gone".', 'Check the path.');
      return readImage(path);
    };
    const questions = [ask('1', 'gone', 'A'), ask('2', 'broken', 'A'), ask('3', 'A', 'A')];
    const { problems, accuracy } = await evaluate(questions, reader(), { readImage: missing });
    expect(problems.map(({ id }) => id)).toEqual(['1', '2']);
    expect(accuracy).toBe(1);
    await expect(evaluate(questions.slice(0, 2), reader(), { readImage: missing })).rejects.toMatchObject({
      code: 'bad-data',
    });
  });

  it('passes on what is no question’s fault', async () => {
    const lost = async () => {
      throw new NvlmError('device-lost', 'The device was lost.', 'Load again.');
    };
    await expect(evaluate([ask('1', 'A', 'A')], lost, { readImage })).rejects.toMatchObject({ code: 'device-lost' });
    const stopped = { readImage, signal: AbortSignal.abort() };
    await expect(evaluate([ask('1', 'A', 'A')], reader(), stopped)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('shuffled images', () => {
  it('gives every picture question another picture and leaves text questions out', () => {
    const questions = [ask('1', 'A', ''), ask('2', 'A', ''), ask('3', 'B', ''), ask('4', null, ''), ask('5', 'C', '')];
    const shuffled = shuffleImages(questions);
    expect(shuffled.map(({ id }) => id)).toEqual(['1', '2', '3', '5']);
    for (const { id, image } of shuffled) expect(image).not.toBe(questions.find((question) => question.id === id)!.image);
    expect(new Set(shuffled.map(({ image }) => image)).size).toBe(3);
    expect(() => shuffleImages(questions.slice(0, 2))).toThrow(NvlmError);
  });
});
