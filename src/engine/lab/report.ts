import { NvlmError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { cellsOf, scaleNameOf, type LabChoice } from './cells.ts';
import type { Experiment } from './experiment.ts';
import { fitGrowth, type Growth } from './growth.ts';
import { labPlace, type CellResult } from './run-cell.ts';
import { isMeasured } from './score.ts';
import { bootstrapInterval, meanInterval } from './statistics.ts';

/** A metric of a level over its seeds. Bounds are null where one seed alone says nothing of them. */
export interface LabSummary {
  level: string;
  metric: string;
  mean: number;
  /** 95 % interval of Student's t over seeds. */
  low: number | null;
  high: number | null;
  seeds: number;
  /** 95 % interval of the mean when the questions are drawn anew; null where no questions are counted. */
  questions: { low: number; high: number; count: number } | null;
}

/** A level less the reference, seed by seed. */
export interface LabDifference extends Omit<LabSummary, 'questions'> {
  reference: string;
}

export interface LabReport {
  experiment: string;
  question: string;
  paper: string;
  factor: string;
  reference: string;
  scale: string;
  /** What computed: `wasm`, or WebGPU with its adapter. Figures of time compare within one alone. */
  devices: string[];
  cells: { level: string; seed: number; metrics: Record<string, number> }[];
  /** Cells of the scale that are not done. */
  missing: { level: string; seed: number }[];
  summary: LabSummary[];
  differences: LabDifference[];
  /** How times and memory grow with tiles; of measured efficiency alone. */
  growth: Growth[];
}

/** What the figures of a report are; of one seed there is no interval. */
export function figureWords({ summary }: LabReport): string {
  return summary.some(({ low }) => low !== null) ? "mean and 95 % interval over seeds (Student's t)" : 'one seed, so no interval';
}

/** Larger ones are no results of this program. */
const MOST_BYTES = 64 * 2 ** 20;

/**
 * The finished cells of some folders, in the order of the experiment, each once.
 *
 * @throws NvlmError `bad-data` for a result that is none, or two of one cell that differ
 */
export async function collectCells(folders: readonly Folder[], experiment: Experiment, choice: LabChoice): Promise<CellResult[]> {
  const scale = scaleNameOf(experiment, choice);
  const found = new Map<string, CellResult>();
  for (const folder of folders) {
    for (const { path, bytes } of await folder.list(labPlace(experiment.name))) {
      if (!path.endsWith('.json') || path.endsWith('.begun.json')) continue;
      const result = bytes > MOST_BYTES ? null : parseResult(await folder.read(path), experiment);
      if (!result) throw new NvlmError('bad-data', `${path} is no result of ${experiment.name}.`, 'Remove it, or run its cell again.');
      if (result.scale !== scale) continue;
      const name = `${result.level}\n${result.seed}`;
      const other = found.get(name);
      if (other && experiment.kind === 'training' && JSON.stringify(other.metrics) !== JSON.stringify(result.metrics)) {
        const what = `Two folders hold different results of ${result.level}, seed ${result.seed}.`;
        throw new NvlmError('bad-data', what, 'Leave one of them out: they were made by different versions or on different devices.');
      }
      if (!other) found.set(name, result);
    }
  }
  const all = cellsOf(experiment, { ...choice, seeds: experiment.seeds.length });
  return all.flatMap(({ level, seed }) => found.get(`${level}\n${seed}`) ?? []);
}

function parseResult(bytes: Uint8Array | null, experiment: Experiment): CellResult | null {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array(0)));
  } catch {
    return null;
  }
  const result = json as CellResult | null;
  const isList = Array.isArray;
  const fits =
    typeof result === 'object' &&
    result !== null &&
    result.experiment === experiment.name &&
    experiment.levels.some(({ level }) => level === result.level) &&
    Number.isSafeInteger(result.seed) &&
    typeof result.scale === 'string' &&
    typeof result.backend === 'string' &&
    typeof result.metrics === 'object' &&
    Object.values(result.metrics).every((value) => typeof value === 'number') &&
    isList(result.losses) &&
    isList(result.rounds) &&
    isList(result.answers) &&
    result.answers.every(
      (answer) => typeof answer?.id === 'string' && typeof answer.task === 'string' && typeof answer.correct === 'boolean',
    );
  return fits ? result : null;
}

/** Puts together whatever cells there are. @throws NvlmError `not-found` for none */
export function makeReport(experiment: Experiment, choice: LabChoice, results: readonly CellResult[]): LabReport {
  if (results.length === 0)
    throw new NvlmError(
      'not-found',
      `No cell of ${experiment.name} is done at this scale.`,
      'Run it first, or name the folder that it was run in.',
    );
  const done = new Set(results.map(({ level, seed }) => `${level}\n${seed}`));
  const metrics = [...new Set(results.flatMap((result) => Object.keys(result.metrics)))];
  const levels = experiment.levels.map(({ level }) => level);
  const of = (level: string, metric: string) => results.filter((result) => result.level === level && result.metrics[metric] !== undefined);
  const summary = levels.flatMap((level) =>
    metrics.flatMap((metric): LabSummary[] => {
      const some = of(level, metric);
      if (some.length === 0) return [];
      const { mean, low, high } = meanInterval(some.map((result) => result.metrics[metric]!));
      return [
        { level, metric, mean, low: known(low), high: known(high), seeds: some.length, questions: questionsOf(experiment, metric, some) },
      ];
    }),
  );
  const differences = levels
    .filter((level) => level !== experiment.reference)
    .flatMap((level) =>
      metrics.flatMap((metric): LabDifference[] => {
        const references = new Map(of(experiment.reference, metric).map((result) => [result.seed, result.metrics[metric]!]));
        const pairs = of(level, metric).filter(({ seed }) => references.has(seed));
        if (pairs.length === 0) return [];
        const { mean, low, high } = meanInterval(pairs.map((result) => result.metrics[metric]! - references.get(result.seed)!));
        return [{ level, reference: experiment.reference, metric, mean, low: known(low), high: known(high), seeds: pairs.length }];
      }),
    );
  const { name, question, paper, factor, reference } = experiment;
  return {
    experiment: name,
    question,
    paper,
    factor,
    reference,
    scale: scaleNameOf(experiment, choice),
    devices: [...new Set(results.map(({ backend, adapter }) => (adapter ? `${backend} (${adapter})` : backend)))],
    cells: results.map(({ level, seed, metrics: figures }) => ({ level, seed, metrics: figures })),
    missing: cellsOf(experiment, choice)
      .filter(({ level, seed }) => !done.has(`${level}\n${seed}`))
      .map(({ level, seed }) => ({ level, seed })),
    summary,
    differences,
    growth: experiment.kind === 'efficiency' ? fitGrowth(experiment, summary) : [],
  };
}

/** JSON knows no NaN. */
function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function questionsOf(experiment: Experiment, name: string, results: readonly CellResult[]): LabSummary['questions'] {
  const metric = experiment.kind === 'training' ? experiment.measure.find((one) => one.metric === name) : undefined;
  if (!metric) return null;
  const rows = results.map(({ answers }) => answers.filter((answer) => isMeasured(metric, answer)));
  const ids = (rows[0] ?? []).map(({ id }) => id);
  // Every cell of an experiment answers the same questions; where one did not, there is nothing to draw anew.
  if (ids.length === 0 || !rows.every((row) => row.length === ids.length && row.every(({ id }, i) => id === ids[i]))) return null;
  const { low, high } = bootstrapInterval(rows.map((row) => row.map(({ correct }) => Number(correct))));
  return { low, high, count: ids.length };
}
