import type { DataProblem } from '../../datasets/llava.ts';
import type { DataQuestion } from '../../datasets/questions.ts';
import { NvlmError, throwIfAborted, type ErrorCode } from '../../errors.ts';
import type { CallOptions, Engine } from '../api.ts';
import { isRight } from './answer-scores.ts';

export type EvalProblem = DataProblem;

export interface TaskScore {
  n: number;
  correct: number;
  /** correct / n */
  accuracy: number;
  /** What always giving the task's most frequent answer would score on the same questions. */
  chance: number;
}

export interface EvalAnswer {
  id: string;
  task: string;
  /** The last turn asked, with the picture's placeholder where it stands there. */
  question: string;
  expected: string;
  answer: string;
  correct: boolean;
}

export interface EvalResult {
  tasks: Record<string, TaskScore>;
  /** Over all questions that were asked. */
  accuracy: number;
  /** In the order of the questions. */
  answers: EvalAnswer[];
  /** Questions that could not be asked; they do not count. */
  problems: EvalProblem[];
}

export interface EvalOptions extends CallOptions {
  /** Bytes of a picture by its path in the data. */
  readImage(path: string): Promise<Uint8Array>;
  onProgress?: (done: number) => void;
}

/** Longer answers than any of the bundled world's; what has not matched by then is wrong anyhow. */
const MAX_NEW_TOKENS = 96;

/** What can be wrong with one question alone. */
const QUESTION_ERRORS: ReadonlySet<ErrorCode> = new Set(['bad-image', 'image-too-large', 'empty-prompt', 'prompt-too-long']);

/**
 * Asks every question greedily and compares whole answers, white space at the ends aside.
 *
 * @param chat of an engine with a model loaded
 * @throws NvlmError `bad-data` when not one question could be asked, and what `chat` throws for other reasons than one
 *   question's
 */
export async function evaluate(questions: readonly DataQuestion[], chat: Engine['chat'], options: EvalOptions): Promise<EvalResult> {
  const { signal, readImage, onProgress } = options;
  const answers: (EvalAnswer | null)[] = questions.map(() => null);
  const problems: EvalProblem[] = [];
  let done = 0;
  for (const group of groupByImage(questions)) {
    const image = await readGroupImage(group.image, readImage);
    for (const index of group.indices) {
      throwIfAborted(signal);
      const { id, task, messages, answer: expected } = questions[index]!;
      try {
        if (image instanceof NvlmError) throw image;
        const request = { messages, image, sampling: { temperature: 0 }, maxNewTokens: MAX_NEW_TOKENS };
        const { text, finishReason } = await chat(request, { signal });
        if (finishReason === 'cancelled') throwIfAborted(signal);
        const question = messages.at(-1)!.content;
        answers[index] = { id, task, question, expected, answer: text, correct: isRight(text, expected) };
      } catch (error) {
        if (!(error instanceof NvlmError) || (error !== image && !QUESTION_ERRORS.has(error.code))) throw error;
        problems.push({ id, reason: error.message });
      }
      onProgress?.(++done);
    }
  }
  const asked = answers.filter((answer) => answer !== null);
  if (asked.length === 0) {
    const why = problems[0] ? ` The first, ${problems[0].id}: ${problems[0].reason}` : '';
    throw new NvlmError('bad-data', `No question could be asked.${why}`, 'Check the pictures: their paths are relative to the data file.');
  }
  return { tasks: scoresOf(asked), accuracy: shareCorrect(asked), answers: asked, problems };
}

/** Questions about one picture stand together, so that it is encoded once. */
function groupByImage(questions: readonly DataQuestion[]): { image: string | null; indices: number[] }[] {
  const groups = new Map<string | null, number[]>();
  for (const [index, { image }] of questions.entries()) {
    const indices = groups.get(image);
    if (indices) indices.push(index);
    else groups.set(image, [index]);
  }
  return [...groups].map(([image, indices]) => ({ image, indices }));
}

/** The error instead of the bytes: it is a problem of the questions about this picture. */
async function readGroupImage(path: string | null, readImage: EvalOptions['readImage']): Promise<Uint8Array | null | NvlmError> {
  if (path === null) return null;
  return readImage(path).catch((error: unknown) => {
    if (error instanceof NvlmError && error.code !== 'cancelled') return error;
    throw error;
  });
}

function scoresOf(answers: readonly EvalAnswer[]): Record<string, TaskScore> {
  const byTask = new Map<string, EvalAnswer[]>();
  for (const answer of answers) byTask.set(answer.task, [...(byTask.get(answer.task) ?? []), answer]);
  return Object.fromEntries(
    [...byTask].map(([task, group]) => {
      const correct = group.filter((answer) => answer.correct).length;
      return [task, { n: group.length, correct, accuracy: correct / group.length, chance: chanceOf(group) }];
    }),
  );
}

function chanceOf(answers: readonly EvalAnswer[]): number {
  const counts = new Map<string, number>();
  for (const { expected } of answers) counts.set(expected, (counts.get(expected) ?? 0) + 1);
  return Math.max(...counts.values()) / answers.length;
}

function shareCorrect(answers: readonly EvalAnswer[]): number {
  return answers.filter((answer) => answer.correct).length / answers.length;
}

/**
 * The picture questions alone, each about another picture than its own: what a model scores here it scores without
 * looking. Every picture's questions move together by half the number of pictures, so the result is always the same.
 *
 * @throws NvlmError `bad-data` with fewer than two pictures
 */
export function shuffleImages(questions: readonly DataQuestion[]): DataQuestion[] {
  const seeing = questions.filter(({ image }) => image !== null);
  const images = [...new Set(seeing.map(({ image }) => image))];
  if (images.length < 2) {
    throw new NvlmError('bad-data', 'There are no two pictures to exchange.', 'Leave --shuffle-images out, or give more pictures.');
  }
  const shift = Math.floor(images.length / 2);
  const other = new Map(images.map((image, i) => [image, images[(i + shift) % images.length]!]));
  return seeing.map((question) => ({ ...question, image: other.get(question.image)! }));
}
