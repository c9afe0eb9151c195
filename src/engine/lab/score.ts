import type { DeskRecord } from '../../desk/data.ts';
import type { RunSample } from '../runs/training-api.ts';
import type { LabMetric } from './experiment.ts';

/** One answered question of a cell. */
export interface LabAnswer {
  /** Of its record; the same in every cell of an experiment. */
  id: string;
  task: string;
  /** Regular tiles of its picture; null = text only. */
  tiles: number | null;
  question: string;
  expected: string;
  answer: string;
  correct: boolean;
}

/** The questions answered after so many steps. */
export interface LabRound {
  step: number;
  answers: LabAnswer[];
}

/** A run's sample answers, round by round, each with what its record says of it. */
export function roundsOf(samples: readonly RunSample[], records: readonly DeskRecord[]): LabRound[] {
  const known = new Map(records.map((record) => [record.id, record]));
  const rounds = new Map<number, LabAnswer[]>();
  for (const { step, record: id, question, expected, answer } of samples) {
    const record = known.get(id);
    if (!record) continue;
    const answers = rounds.get(step) ?? rounds.set(step, []).get(step)!;
    const { task, tiles = null } = record;
    // As `nvlm eval` compares: white space at the ends aside.
    answers.push({ id, task, tiles, question, expected, answer, correct: answer.trim() === expected.trim() });
  }
  return [...rounds].map(([step, answers]) => ({ step, answers })).sort((a, b) => a.step - b.step);
}

export function isMeasured({ tasks, tiles, pictures }: LabMetric, answer: Pick<LabAnswer, 'task' | 'tiles'>): boolean {
  if (tasks && !tasks.some((task) => answer.task.startsWith(task))) return false;
  if (tiles && !(answer.tiles !== null && tiles.includes(answer.tiles))) return false;
  return pictures === null || pictures === (answer.tiles !== null);
}

/** Share of right answers by metric; a metric without a question is left out. */
export function scoresOf(metrics: readonly LabMetric[], answers: readonly LabAnswer[]): Record<string, number> {
  const scores: Record<string, number> = {};
  for (const metric of metrics) {
    const asked = answers.filter((answer) => isMeasured(metric, answer));
    if (asked.length > 0) scores[metric.metric] = asked.filter(({ correct }) => correct).length / asked.length;
  }
  return scores;
}
