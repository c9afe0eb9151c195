import { figuresOf, scoreAnswers, type QuestionFigures, type QuestionScore } from '../../../engine/measure/answer-scores.ts';
import type { SamplePair } from '../run/sample-pairs.ts';

export type Who = 'base' | 'tuned';

/** An answer of one of the two, with the pair that it stands in. */
export interface PairAnswer {
  question: string;
  expected: string;
  answer: string;
  pair: SamplePair;
}

/** Right answers by question and label of the base model or of the tuned one. */
export function scorePairs(pairs: readonly SamplePair[], who: Who): QuestionScore<PairAnswer>[] {
  return scoreAnswers(
    pairs.flatMap((pair) => {
      const answer = pair[who];
      return answer === null ? [] : [{ question: pair.question, expected: pair.expected, answer, pair }];
    }),
  );
}

/** One question as both answered it. */
export interface QuestionRow {
  question: string;
  base: QuestionScore<PairAnswer> | null;
  tuned: QuestionScore<PairAnswer> | null;
}

export function questionRows(pairs: readonly SamplePair[]): QuestionRow[] {
  const [base, tuned] = [scorePairs(pairs, 'base'), scorePairs(pairs, 'tuned')];
  const names = new Set([...base, ...tuned].map(({ question }) => question));
  const of = (scores: typeof base, name: string) => scores.find(({ question }) => question === name) ?? null;
  return [...names].map((question) => ({ question, base: of(base, question), tuned: of(tuned, question) }));
}

export function figuresOfPairs(pairs: readonly SamplePair[]): Record<Who, QuestionFigures[]> {
  return { base: scorePairs(pairs, 'base').map(figuresOf), tuned: scorePairs(pairs, 'tuned').map(figuresOf) };
}

/** e.g. `9 of 12 (75 %)`; a dash where nothing was asked. */
export function shareWords(score: { asked: number; right: number } | null | undefined): string {
  if (!score || score.asked === 0) return '–';
  return `${score.right} of ${score.asked} (${Math.round((100 * score.right) / score.asked)} %)`;
}

/** The last column of a confusion matrix. */
export const OTHER = 'something else';
