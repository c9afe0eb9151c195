import { NvlmError } from '../../errors.ts';
import type { Device } from '../../device/types.ts';
import type { Folder } from '../../files/folder.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import type { CallOptions, Engine, ModelSource } from '../api.ts';
import { isBundled } from '../models/bundled-models.ts';
import type { RunEvent, RunRequest, RunSummary } from '../runs/training-api.ts';
import { cellName, dataOf, runOf, scaleNameOf, type LabCell, type LabChoice } from './cells.ts';
import type { Experiment, TrainingExperiment } from './experiment.ts';
import { writeDataset } from './lab-data.ts';
import { roundsOf, scoresOf, type LabAnswer, type LabRound } from './score.ts';

/** What a finished cell has left. Times are in no report of answers: the same cell gives the same on any machine. */
export interface CellResult {
  experiment: string;
  scale: string;
  level: string;
  seed: number;
  /** Its run among those of the folder; null for what is measured without a run. */
  run: string | null;
  backend: string;
  adapter: string | null;
  /** Spent on it, all its sittings together. */
  seconds: number;
  metrics: Record<string, number>;
  /** Loss of every step. */
  losses: number[];
  /** Metrics by the steps behind the model, the first before training. */
  rounds: { step: number; metrics: Record<string, number> }[];
  /** Of the last round. */
  answers: LabAnswer[];
}

/** A cell on its way. */
interface CellState {
  run: string;
}

export interface LabHost {
  engine: Pick<Engine, 'device' | 'planRun' | 'startRun' | 'resumeRun' | 'readRun'>;
  /** The folder of the engine's runs and datasets. */
  files: Folder;
  /** Has the device alone for as long as `work` lasts; `open` opens a bundled model. */
  alone<T>(
    signal: AbortSignal | undefined,
    work: (device: Device, open: (model: string) => Promise<ModelFolder>) => Promise<T>,
  ): Promise<T>;
  /** What a run file's `model` names, where it is none of the bundled ones. */
  modelSource?: (name: string) => Promise<ModelSource>;
}

export type LabEvent = { type: 'data' | 'measured'; done: number; total: number } | RunEvent;
type CellOptions = CallOptions & { onEvent?: (event: LabEvent) => void };

/** Where the cells of an experiment keep what they are about, beside `runs/` and `datasets/`. */
export function labPlace(experiment: string): string {
  return `lab/${experiment}`;
}

/** null = not run to its end here. */
export async function readCell(files: Folder, experiment: Experiment, choice: LabChoice, cell: LabCell): Promise<CellResult | null> {
  return readJson<CellResult>(files, `${labPlace(experiment.name)}/${cellName(experiment, choice, cell)}.json`);
}

/** The run of a cell that is begun; null before. */
export async function readCellRun(files: Folder, experiment: Experiment, choice: LabChoice, cell: LabCell): Promise<string | null> {
  return (await readJson<CellState>(files, statePath(experiment, choice, cell)))?.run ?? null;
}

function statePath(experiment: Experiment, choice: LabChoice, cell: LabCell): string {
  return `${labPlace(experiment.name)}/${cellName(experiment, choice, cell)}.begun.json`;
}

/** A file that a dying process cut off counts as none. */
async function readJson<T>(files: Folder, path: string): Promise<T | null> {
  const bytes = await files.read(path);
  if (!bytes) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T;
  } catch {
    return null;
  }
}

/**
 * Runs a training cell to its end, from where an earlier sitting left it. The run is an ordinary one of the folder, which
 * `nvlm train` repeats bit by bit.
 *
 * @throws NvlmError `cancelled` (a later call goes on), and what a run throws
 */
export async function runTrainingCell(
  { engine, files, modelSource }: LabHost,
  experiment: TrainingExperiment,
  choice: LabChoice,
  cell: LabCell,
  { signal, onEvent }: CellOptions = {},
): Promise<CellResult> {
  const data = dataOf(experiment, choice, cell);
  const onProgress = (done: number, total: number) => onEvent?.({ type: 'data', done, total });
  const train = await writeDataset(files, [data.train], { signal, onProgress });
  const text = data.text && (await writeDataset(files, [data.text], { signal }));
  const evaluate = await writeDataset(files, data.evaluate, { signal, onProgress });
  const { run, ...asked } = runOf(experiment, choice, cell, evaluate.records.length);
  const model = String(run['model']);
  const request: RunRequest = {
    title: `${experiment.name}: ${cell.level}, seed ${cell.seed}`,
    model: isBundled(model) || !modelSource ? { kind: 'bundled', id: model } : await modelSource(model),
    run: { ...run, data: train.id, held_out: evaluate.id, ...withText(run['text'], text?.id) },
    ...asked,
    heldOutEvery: 0,
  };
  const state = statePath(experiment, choice, cell);
  let id = await readCellRun(files, experiment, choice, cell);
  const begin = performance.now();
  const listen = async (event: RunEvent) => {
    if (event.type === 'run') id = event.summary.id;
    onEvent?.(event);
  };
  const known = id && (await engine.readRun(id).catch(() => null));
  let summary: RunSummary;
  if (known && known.summary.state === 'finished') summary = known.summary;
  else if (known) summary = await engine.resumeRun(known.summary.id, { signal, onEvent: listen });
  else {
    const keep = async (event: RunEvent) => {
      await listen(event);
      if (event.type !== 'run') return;
      await files.write(state, new TextEncoder().encode(JSON.stringify({ run: event.summary.id } satisfies CellState)));
    };
    summary = await engine.startRun(request, { signal, onEvent: keep });
  }
  if (summary.state !== 'finished') {
    if (signal?.aborted) throw new NvlmError('cancelled', 'The experiment was paused.', 'Run it again: it goes on from where it is.');
    throw new NvlmError(
      'internal',
      `${request.title} stopped: ${summary.note ?? summary.state}.`,
      'Run it again: it goes on from its last checkpoint.',
    );
  }
  const { log, samples } = await engine.readRun(summary.id);
  const { backend, adapter } = await engine.device();
  const rounds = roundsOf(samples, evaluate.records);
  const result: CellResult = {
    experiment: experiment.name,
    scale: scaleNameOf(experiment, choice),
    level: cell.level,
    seed: cell.seed,
    run: summary.id,
    backend,
    adapter: adapter && (adapter.description || adapter.device || adapter.vendor),
    seconds: Math.round(performance.now() - begin) / 1000,
    metrics: metricsOf(
      experiment,
      rounds,
      log.map(({ loss }) => loss),
    ),
    losses: log.map(({ loss }) => loss),
    rounds: rounds.map(({ step, answers }) => ({ step, metrics: scoresOf(experiment.measure, answers) })),
    answers: rounds.at(-1)?.answers ?? [],
  };
  await writeCell(files, experiment, choice, cell, result);
  return result;
}

export async function writeCell(
  files: Folder,
  experiment: Experiment,
  choice: LabChoice,
  cell: LabCell,
  result: CellResult,
): Promise<void> {
  const path = `${labPlace(experiment.name)}/${cellName(experiment, choice, cell)}.json`;
  await files.write(path, new TextEncoder().encode(`${JSON.stringify(result)}\n`));
}

function withText(text: unknown, data: string | undefined): Record<string, unknown> {
  if (!text) return {};
  return { text: { ...(text as object), ...(data && { data }) } };
}

/** Steps at the end whose mean loss is a figure. */
const LAST_STEPS = 20;

function metricsOf({ measure }: TrainingExperiment, rounds: readonly LabRound[], losses: readonly number[]): Record<string, number> {
  const [first, last] = [rounds[0], rounds.at(-1)];
  const tail = losses.slice(-LAST_STEPS);
  return {
    ...(last && scoresOf(measure, last.answers)),
    // What it could before; the first round is that of the model it begins with.
    ...(first?.step === 0 && prefixed('before: ', scoresOf(measure, first.answers))),
    'training loss': tail.reduce((sum, loss) => sum + loss, 0) / tail.length,
  };
}

function prefixed(prefix: string, scores: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(scores).map(([name, value]) => [prefix + name, value]));
}
