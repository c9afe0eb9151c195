import { NvlmError } from '../../errors.ts';
import type { EfficiencyExperiment, Experiment, LabScale, LabSet, TrainingExperiment } from './experiment.ts';

/** One run of an experiment. */
export interface LabCell {
  /** From 0, level after level within a seed, so that the first cells already compare all levels. */
  index: number;
  level: string;
  seed: number;
}

/** What is chosen of an experiment when it is run. */
export interface LabChoice {
  /** One of the experiment's scales; null = its first. */
  scale: string | null;
  /** How many seeds; null = the scale's. */
  seeds: number | null;
}

export function scaleNameOf(experiment: Experiment, { scale }: LabChoice): string {
  const names = Object.keys(experiment.scales);
  const name = scale ?? names[0]!;
  if (names.includes(name)) return name;
  throw new NvlmError('usage', `${experiment.name} has no scale "${name}".`, `Choose one of ${names.join(', ')}.`);
}

export function scaleOf(experiment: Experiment, choice: LabChoice): LabScale {
  return experiment.scales[scaleNameOf(experiment, choice)]!;
}

/** Numbers of regular tiles that a scale measures. */
export function tilesOf(experiment: EfficiencyExperiment, choice: LabChoice): number[] {
  return scaleOf(experiment, choice).tiles ?? experiment.tiles;
}

/** What stands for a level: a model, or random weights in a shape, with at most so many layers. */
export function modelOf(
  experiment: EfficiencyExperiment,
  choice: LabChoice,
  level: string,
): { model: string } | { shape: string; layers?: number } {
  const { model, shape } = experiment.levels.find((one) => one.level === level)!;
  const { shapes, layers } = scaleOf(experiment, choice);
  return shapes === 'real' ? { shape: shape!, ...(layers !== null && { layers }) } : { model };
}

/** @throws NvlmError `usage` for a scale that is not there, or more seeds than the experiment names */
export function cellsOf(experiment: Experiment, choice: LabChoice): LabCell[] {
  const count = choice.seeds ?? Math.min(scaleOf(experiment, choice).seeds, experiment.seeds.length);
  if (count < 1 || count > experiment.seeds.length)
    throw new NvlmError(
      'usage',
      `${experiment.name} names ${experiment.seeds.length} seeds, not ${count}.`,
      'Ask for fewer, or add seeds to its file.',
    );
  const cells = experiment.seeds.slice(0, count).flatMap((seed) => experiment.levels.map(({ level }) => ({ level, seed })));
  return cells.map((cell, index) => ({ index, ...cell }));
}

/** Stands in file names and titles: the same cell has the same name whatever else is run. */
export function cellName(experiment: Experiment, choice: LabChoice, { level, seed }: LabCell): string {
  const plain = level.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const place = experiment.levels.findIndex((one) => one.level === level);
  return `${experiment.name}-${scaleNameOf(experiment, choice)}-${place}-${plain}-seed${seed}`;
}

/** The sets of records that a cell learns from and is measured on. */
export interface CellData {
  train: LabSet & { seed: number };
  text: (LabSet & { seed: number }) | null;
  evaluate: (LabSet & { seed: number })[];
}

/** Apart from the training seeds: no question is about a picture that was learnt from. */
const EVALUATION_SEED = 2 ** 29;

export function dataOf(experiment: TrainingExperiment, choice: LabChoice, { level, seed }: LabCell): CellData {
  const scale = scaleOf(experiment, choice);
  const { train } = experiment.levels.find((one) => one.level === level)!;
  const sized = (set: LabSet, factor: number) => ({ ...set, count: Math.max(1, Math.round(set.count * factor)) });
  return {
    train: { ...sized({ ...experiment.train, ...train }, scale.data), seed },
    text: experiment.text && { ...sized(experiment.text, scale.data), seed },
    // The same questions for all: differences are then paired.
    evaluate: experiment.evaluate.map((set) => ({ ...sized(set, scale.questions), seed: EVALUATION_SEED })),
  };
}

/**
 * The run file of a cell, all but its data.
 *
 * @param questions how many there are to be answered
 */
export function runOf(
  experiment: TrainingExperiment,
  choice: LabChoice,
  { level, seed }: LabCell,
  questions: number,
): { run: Record<string, unknown>; sampleEvery: number; samples: number } {
  const { steps, rounds } = scaleOf(experiment, choice);
  const { run } = experiment.levels.find((one) => one.level === level)!;
  const merged = { ...experiment.run, ...run, steps, seed };
  return { run: merged, sampleEvery: Math.max(1, Math.ceil(steps / rounds)), samples: questions };
}
