import type { Folder } from '../../files/folder.ts';
import { throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../api.ts';
import { configOf } from '../../nvlm/parse-config.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { openTextSide } from '../chat/text-side.ts';
import { geometryOfModel } from '../inspect/geometries.ts';
import { inspectPicture } from '../inspect/inspect.ts';
import { planMemory } from '../models/memory-plan.ts';
import { syntheticSource } from '../models/synthetic-source.ts';
import { isBundled } from '../models/bundled-models.ts';
import type { RunRequest } from '../runs/training-api.ts';
import { cellsOf, dataOf, modelOf, runOf, scaleNameOf, scaleOf, tilesOf, type LabCell, type LabChoice } from './cells.ts';
import type { EfficiencyExperiment, Experiment, TrainingExperiment } from './experiment.ts';
import { drawSets, writeDataset, type SeededSet } from './lab-data.ts';
import { productRate } from './product-rate.ts';
import { readCell, type LabHost } from './run-cell.ts';

/** What an experiment will take, before anything of it starts. */
export interface LabPlan {
  experiment: string;
  scale: string;
  cells: LabCell[];
  /** How many of them are done already. */
  done: number;
  /** Of one process, for the cells that are left: an estimate. */
  seconds: number;
  /** The most that any of the runs takes in memory. */
  bytes: number;
  /** Samples seen and questions answered by all cells. */
  samples: number;
  questions: number;
  backend: string;
}

/** Of the time of a plain matrix product, which training's small ones take longer than: as measured on wasm. */
const OVERHEAD = 4;
/** Pictures of a plan. */
const LOOKED_AT = 8;
/** Share of the longest record that records have on average. */
const MEAN_LENGTH = 0.6;
/** Tokens of an answer, each as dear as this many tokens of training: one row at a time uses no cache lines twice. */
const ANSWER_TOKENS = 6;
const ANSWER_COST = 4;
/** A forward pass, and a backward pass of twice as much: of every weight and token a product and a sum. */
const FORWARD = 2;
const TRAINING = 6;
/** To load a model, and to read and draw data. */
const CELL_SECONDS = 3;
/** Efficiency: seconds at the time of one matrix product, measured. */
const SITTING_SECONDS = 2;

/**
 * @param done where cells may be done already; null = nowhere
 * @throws NvlmError as a run does before its first step
 */
export async function planExperiment(
  host: LabHost,
  done: Folder | null,
  experiment: Experiment,
  choice: LabChoice,
  { signal, onProgress }: CallOptions & { onProgress?: (done: number, total: number) => void } = {},
): Promise<LabPlan> {
  const cells = cellsOf(experiment, choice);
  const finished = await Promise.all(cells.map((cell) => (done ? readCell(done, experiment, choice, cell) : null)));
  const left = cells.filter((_, i) => finished[i] === null);
  const { backend } = await host.engine.device();
  const plan: LabPlan = {
    experiment: experiment.name,
    scale: scaleNameOf(experiment, choice),
    cells,
    done: cells.length - left.length,
    seconds: 0,
    bytes: 0,
    samples: 0,
    questions: 0,
    backend,
  };
  const measured = finished.flatMap((result) => result?.seconds ?? []);
  const speed = await productRate();
  for (const [i, { level }] of experiment.levels.entries()) {
    throwIfAborted(signal);
    onProgress?.(i, experiment.levels.length);
    const some = cells.filter((cell) => cell.level === level);
    const open = left.filter((cell) => cell.level === level).length;
    if (experiment.kind === 'efficiency') {
      const { steps } = scaleOf(experiment, choice);
      const tiles = tilesOf(experiment, choice);
      const measured = modelOf(experiment, choice, level);
      plan.samples += some.length * steps * tiles.length;
      if ('model' in measured) {
        plan.bytes = Math.max(plan.bytes, await sittingBytes(host, experiment, measured.model));
        plan.seconds += open * SITTING_SECONDS * tiles.length * (steps + 1);
      } else {
        const need = await shapeNeed(host, measured, tiles);
        plan.bytes = Math.max(plan.bytes, need.bytes);
        plan.seconds += (open * steps * need.products) / speed;
      }
      continue;
    }
    const need = await needOf(host, experiment, choice, some[0]!, { signal });
    plan.bytes = Math.max(plan.bytes, need.bytes);
    plan.samples += some.length * need.samples;
    plan.questions += some.length * need.questions;
    plan.seconds += open * (CELL_SECONDS + (OVERHEAD * need.products) / speed);
  }
  // What was measured on the way is better than what was guessed.
  if (measured.length > 0) plan.seconds = (left.length * measured.reduce((sum, one) => sum + one, 0)) / measured.length;
  return plan;
}

/** A sitting trains two samples of the largest pictures; those of the world that the models know have six tiles at most. */
async function sittingBytes(host: LabHost, experiment: EfficiencyExperiment, model: string): Promise<number> {
  const tiles = [Math.min(6, Math.max(...experiment.tiles))];
  const { id } = await writeDataset(host.files, [{ source: 'desk', count: 1, tiles, wrong: 0, seed: 1 }]);
  const run = { data: id, steps: 1, batch: 2 };
  const source = isBundled(model) || !host.modelSource ? ({ kind: 'bundled', id: model } as const) : await host.modelSource(model);
  const request = { title: experiment.name, model: source, run, sampleEvery: 0, samples: 0, heldOutEvery: 0 };
  return (await host.engine.planRun(request)).total;
}

/** Answering once at every number of tiles: the encoder for each tile, the decoder for each token of the prompt. */
async function shapeNeed(host: LabHost, { shape, layers }: { shape: string; layers?: number }, tiles: readonly number[]) {
  const folder = await openModelFolder(syntheticSource(shape, { layers }));
  const { tileSize } = configOf(folder);
  const geometry = geometryOfModel({ id: shape, title: shape, ...openTextSide(folder) });
  const prompts = tiles.map((maxTiles) => {
    const [width, height] = [maxTiles * tileSize, tileSize];
    const picture = { width, height, data: new Uint8Array(3 * width * height) };
    const { costs, tiling, geometry: of } = inspectPicture(picture, geometry, { maxTiles });
    return { tiles: tiling.tiles.length, tokens: costs[of.architecture]!.decoderTokens };
  });
  const { bytes } = planMemory(folder, await host.engine.device(), { contextLength: Math.max(...prompts.map(({ tokens }) => tokens)) });
  const numbers = { encoder: 0, decoder: 0 };
  for (const [name, tensor] of folder.tensors)
    numbers[name.startsWith('vision_model.') ? 'encoder' : 'decoder'] += tensor.shape.reduce((product, extent) => product * extent, 1);
  const patches = (tileSize / geometry.patchSize) ** 2;
  const products = prompts.reduce(
    (sum, seen) => sum + FORWARD * (numbers.encoder * patches * seen.tiles + numbers.decoder * seen.tokens),
    0,
  );
  return { bytes: bytes.total, products };
}

/** What one cell of a level takes. */
async function needOf(host: LabHost, experiment: TrainingExperiment, choice: LabChoice, cell: LabCell, { signal }: CallOptions) {
  const data = dataOf(experiment, choice, cell);
  // A few of the records tell how long they are.
  const few = <T extends SeededSet>(set: T) => [{ ...set, count: Math.min(set.count, LOOKED_AT) }];
  const train = await writeDataset(host.files, few(data.train), { signal });
  const text = data.text && (await writeDataset(host.files, few(data.text), { signal }));
  const { records } = await drawSets(data.evaluate);
  const { run, sampleEvery } = runOf(experiment, choice, cell, records.length);
  const model = String(run['model']);
  const withText = run['text'] ? { text: { ...(run['text'] as object), ...(text && { data: text.id }) } } : {};
  const request: RunRequest = {
    title: experiment.name,
    model: isBundled(model) || !host.modelSource ? { kind: 'bundled', id: model } : await host.modelSource(model),
    run: { ...run, data: train.id, ...withText },
    sampleEvery: 0,
    samples: 0,
    heldOutEvery: 0,
  };
  const { total, longest, trainedParameters } = await host.engine.planRun(request);
  const steps = Number(run['steps']);
  const samples = steps * Number(run['batch'] ?? 1) * Number(run['accumulate'] ?? 1);
  const rounds = 1 + Math.ceil(steps / sampleEvery);
  const questions = rounds * records.length;
  const tokens = MEAN_LENGTH * longest;
  const answering = questions * (tokens + ANSWER_COST * ANSWER_TOKENS);
  return { bytes: total, samples, questions, products: trainedParameters * (TRAINING * samples * tokens + FORWARD * answering) };
}
