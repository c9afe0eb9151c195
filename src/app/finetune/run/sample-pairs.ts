import { spokenQuestion } from '../../../engine/measure/answer-scores.ts';
import type { RunSample } from '../../../engine/runs/training-api.ts';

/** One question with the base model's answer and the tuned model's beside each other. */
export interface SamplePair {
  record: string;
  picture: string | null;
  question: string;
  expected: string;
  /** null: not asked. */
  base: string | null;
  tuned: string | null;
}

/** @param step steps behind the tuned model; null = the last that was asked */
export function pairSamples(samples: readonly RunSample[], step: number | null): SamplePair[] {
  const wanted = step ?? samples.reduce((last, sample) => Math.max(last, sample.step), 0);
  const pairs = new Map<string, SamplePair>();
  for (const { record, picture, question, expected, answer, step: at } of samples) {
    const pair = pairs.get(record) ?? {
      record,
      picture,
      question: spokenQuestion(question),
      expected,
      base: null,
      tuned: null,
    };
    if (at === 0) pair.base = answer;
    if (at === wanted && at > 0) pair.tuned = answer;
    pairs.set(record, pair);
  }
  return [...pairs.values()];
}
