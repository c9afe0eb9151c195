import type { Tensor3D } from '@tensorflow/tfjs';
import type { Device } from '../device/types.ts';
import { parseRecords, type DataProblem } from '../datasets/llava.ts';
import type { DatasetRecord } from '../datasets/types.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import type { NvlmModel } from '../nvlm/model.ts';
import { Batches } from '../training/batches.ts';
import { restoreCheckpoint, runIdentity, writeCheckpoint, writeTrained } from '../training/checkpoint.ts';
import type { AdapterModule } from '../training/lora.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapterConfig } from '../training/peft.ts';
import type { RunConfig } from '../training/run-config.ts';
import { Trainer, type TrainingSample } from '../training/trainer.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import type { CallOptions } from './api.ts';
import { exportedFiles, replacements } from './export-model.ts';
import { planExamples, type ReadImage, type TrainingExample } from './plan-examples.ts';
import { RunObserver, SAMPLES } from './run-observer.ts';
import { answerQuestions, planQuestions, type SampleQuestion } from './run-samples.ts';
import { stopIdsOf } from './special-tokens.ts';
import type { TextSide } from './text-side.ts';
import { TrainingImages } from './train-data.ts';
import type { RunSample, RunStep } from './training-api.ts';
import { yieldToEventLoop } from './yield.ts';

export { parseRun } from '../training/run-config.ts';
export { SAMPLES };

export const CHECKPOINT = 'checkpoint.safetensors';
export const LOG = 'log.jsonl';
/** The tuned model as a folder of its own. */
export const MODEL = 'model';

export interface TrainRequest {
  model: NvlmModel;
  /** Where the model came from; a finished run without LoRA writes it again with what it trained. */
  folder: ModelFolder;
  text: TextSide;
  device: Device;
  run: RunConfig;
  /** LLaVA records, JSON or JSONL. */
  data: string;
  /** The same for the text-only blend; null = the records of `data` without a picture. */
  textData: string | null;
  /**
   * Records of the run's blend, null when it has none; `folder` is put before their pictures' paths when these are
   * read.
   */
  blend: { data: string; folder: string } | null;
  /** As `blend`, to measure on; null = the records of `data` that are held out. */
  heldOut: { data: string; folder: string } | null;
  readImage: ReadImage;
  /** What a LoRA run starts from; null = a fresh adapter. */
  adapter: AdapterModule[] | null;
  output: Folder;
  resume: boolean;
}

/** One line of the log. */
export type TrainStep = RunStep;

export interface TrainOptions extends CallOptions {
  onPlanned?: (done: number, total: number) => void;
  onProblems?: (problems: readonly DataProblem[]) => void;
  /** Between steps: what the run does, and how much of it is done. */
  onStage?: (stage: 'baseline' | 'train' | 'samples' | 'save', done: number, total: number) => void;
  onStep?: (step: TrainStep) => void;
  onSample?: (sample: RunSample) => void;
  /** A checkpoint of so many steps has been written. */
  onSaved?: (steps: number) => Promise<void>;
}

export interface TrainResult {
  /** Steps that the run has behind it, those before a resume included. */
  steps: number;
  /** The step at which this call began. */
  resumedFrom: number;
  /** Of the last step; null when there was none to do. */
  loss: number | null;
  /** Numbers trained. */
  parameters: number;
  records: number;
  /** Records kept out of training. */
  heldOut: number;
  problems: DataProblem[];
  /** Positions computed by this call. */
  tokens: number;
  /**
   * Folder in the run's own that holds the tuned model; null after LoRA, when stopped, or for layouts of other names.
   */
  exported: string | null;
  /** Ctrl-C, or the page was left: a resumable checkpoint was written. */
  interrupted: boolean;
}

/**
 * Runs a training run to its end, or until the signal fires, which leaves a resumable checkpoint. Every random choice
 * depends on seed and step alone, so a resumed run has the losses of one that was never stopped.
 *
 * @throws NvlmError `usage`, `bad-data` when no record can be used, `not-a-number` on divergence (the last good
 *   checkpoint stays),
 *   device errors
 */
export async function train(request: TrainRequest, options: TrainOptions = {}): Promise<TrainResult> {
  const { model, device, run, adapter } = request;
  try {
    const pools = await readPools(request, options);
    const trainer = await Trainer.create(model, run, device, adapter);
    const images = new TrainingImages(model, trainer, request.readImage, run.maxTiles);
    try {
      return await runSteps({ ...request, ...pools, trainer, images }, options);
    } finally {
      images.dispose();
      trainer.settle();
      trainer.dispose();
    }
  } catch (error) {
    throw device.explain(error);
  }
}

interface Pools {
  examples: TrainingExample[];
  /** How many of them, from the first, are the main pool; the rest is the blend. */
  mainCount: number;
  measured: TrainingExample[];
  /** Of the first held-out records; none where the run asks none. */
  questions: SampleQuestion[];
  problems: DataProblem[];
}

async function readPools(request: TrainRequest, options: TrainOptions): Promise<Pools> {
  const { run, text, readImage } = request;
  const { main, blend, heldOut, problems } = readRecords(request);
  const total = main.length + blend.length + heldOut.length;
  const plan = (some: DatasetRecord[], before: number) =>
    planExamples(text, some, readImage, {
      signal: options.signal,
      maxTiles: run.maxTiles,
      onProgress: (done) => options.onPlanned?.(before + done, total),
    });
  const first = await plan(main, 0);
  const second = await plan(blend, main.length);
  const third = await plan(heldOut, main.length + blend.length);
  problems.push(...first.problems, ...second.problems, ...third.problems);
  options.onProblems?.(problems);
  const pools = [{ ...first, what: 'record' }];
  if (run.text) pools.push({ ...second, what: 'text-only record' });
  if (run.blend) pools.push({ ...second, what: 'record of the blend' });
  for (const { examples, what } of pools) {
    if (examples.length > 0) continue;
    const why = problems[0] ? ` The first, ${problems[0].id}: ${problems[0].reason}.` : '';
    throw new NvlmError(
      'bad-data',
      `There is no ${what} to learn from.${why}`,
      'Give LLaVA records: id, image, conversations.',
    );
  }
  const asked = run.sampleEvery > 0 ? heldOut.slice(0, run.samples) : [];
  return {
    examples: [...first.examples, ...second.examples],
    mainCount: first.examples.length,
    measured: third.examples,
    questions: await planQuestions(text, asked, readImage, run.maxTiles),
    problems,
  };
}

interface Records {
  main: DatasetRecord[];
  blend: DatasetRecord[];
  heldOut: DatasetRecord[];
  problems: DataProblem[];
}

/** The run's main records, those that are blended in, and those that it must not learn from. */
function readRecords(request: TrainRequest): Records {
  const { main, blend, problems } = readTrained(request);
  const isHeldOut = ({ heldOut }: DatasetRecord) => heldOut;
  const others = request.heldOut ? placed(request.heldOut) : { records: main.filter(isHeldOut), problems: [] };
  return {
    main: main.filter((record) => !isHeldOut(record)),
    blend: blend.filter((record) => !isHeldOut(record)),
    heldOut: others.records,
    problems: [...problems, ...others.problems],
  };
}

function readTrained({ run, data, textData, blend }: TrainRequest): Omit<Records, 'heldOut'> {
  const { records, problems } = parseRecords(data);
  if (run.blend) {
    if (!blend) throw new RangeError('The run blends data in that the request does not bring.');
    const other = placed(blend);
    return { main: records, blend: other.records, problems: [...problems, ...other.problems] };
  }
  if (!run.text) return { main: records, blend: [], problems };
  const texts = textData === null ? { records, problems: [] } : parseRecords(textData);
  return {
    main: textData === null ? records.filter(({ image }) => image !== null) : records,
    blend: texts.records.filter(({ image }) => image === null),
    problems: [...problems, ...texts.problems],
  };
}

/** Records of another place than the run's own data. */
function placed({ data, folder }: { data: string; folder: string }): ReturnType<typeof parseRecords> {
  const { records, problems } = parseRecords(data);
  const moved = records.map((record) => {
    const { image } = record;
    return { ...record, image: image === null ? null : `${folder}${image}` };
  });
  return { records: moved, problems };
}

async function runSteps(
  request: TrainRequest & Pools & { trainer: Trainer; images: TrainingImages },
  options: TrainOptions,
): Promise<TrainResult> {
  const { examples, mainCount, problems, trainer, images, run, folder, output, resume, device } = request;
  const { signal, onStep, onStage } = options;
  const identity = runIdentity(run, examples.length);
  const observer = observe(request, options);
  const first = resume ? await resumeFrom(output, trainer, identity) : 0;
  if (!resume) await output.write(LOG, new Uint8Array(0));
  const isAsked = await observer.cutBack(first);
  const lengths = examples.map(({ plan }) => plan.inputIds.length);
  const batches = new Batches(lengths.slice(0, mainCount), lengths.slice(mainCount), {
    ...run,
    blendRatio: (run.text ?? run.blend)?.ratio ?? 0,
  });
  const state = { step: first, saved: first, loss: null as number | null, tokens: 0 };
  const save = async () => {
    onStage?.('save', 0, 1);
    await writeFiles(trainer, state.step, identity, run, output, device);
    state.saved = state.step;
    await options.onSaved?.(state.step);
  };
  const result = (interrupted: boolean, exported: string | null): TrainResult => ({
    steps: state.step,
    resumedFrom: first,
    loss: state.loss,
    parameters: trainer.parameters,
    records: examples.length,
    heldOut: request.measured.length,
    problems,
    tokens: state.tokens,
    exported,
    interrupted,
  });
  const between = async () => {
    await yieldToEventLoop();
    throwIfAborted(signal);
  };

  try {
    if (first > 0 && observer.measuresAt(first)) await completeLastLine(output, observer, signal);
    if (!isAsked && observer.asksAt(first)) await observer.ask(first, { signal });
    onStage?.('train', state.step, run.steps);
    while (state.step < run.steps) {
      throwIfAborted(signal);
      const start = performance.now();
      const samples: TrainingSample[][] = [];
      for (let part = 0; part < run.accumulate; part++) {
        const picked = batches.at(state.step * run.accumulate + part).map((index) => examples[index]!);
        const batch: TrainingSample[] = [];
        for (const { plan, image } of picked) batch.push({ plan, image: await imageOf(image, images, signal) });
        samples.push(batch);
      }
      const taken = await trainer.step(state.step, samples, between);
      const step: TrainStep = { ...taken, ms: performance.now() - start, memoryBytes: device.memoryBytes() };
      images.trim();
      state.step++;
      state.loss = step.loss;
      state.tokens += step.tokens;
      try {
        if (observer.measuresAt(state.step)) step.heldOutLoss = await observer.heldOutLoss({ signal });
      } finally {
        // Stopped while measuring: the step was taken all the same.
        await output.append(LOG, `${JSON.stringify(logLine(step))}\n`);
        onStep?.(step);
      }
      if (observer.asksAt(state.step)) await observer.ask(state.step, { signal });
      // Last, so that what is resumed from has its measurements and answers.
      if (state.step % run.checkpointEvery === 0) await save();
      await yieldToEventLoop();
    }
  } catch (error) {
    if (!(error instanceof NvlmError)) throw error;
    if (error.code === 'cancelled') {
      if (state.step > state.saved) await save();
      return result(true, null);
    }
    // The weights are still those of the step before; kept when nothing was kept yet, and never over an older good
    // state.
    if (error.code === 'not-a-number' && state.saved === 0 && state.step > 0) await save().catch(() => undefined);
    throw error;
  }
  if (state.step > state.saved) await save();
  return result(false, run.lora ? null : await exportModel(folder, trainer, output, device));
}

function observe(
  request: TrainRequest & Pools & { trainer: Trainer; images: TrainingImages },
  { onStage, onSample }: TrainOptions,
): RunObserver {
  const { folder, text } = request;
  const asked = { ...request, stopIds: stopIdsOf(folder, text.tokenizer) };
  return new RunObserver(request.run, {
    ...request,
    heldOut: request.measured,
    answer: (questions, step, options) => answerQuestions(questions, step, asked, options),
    onSample,
    onAnswered: (steps, done, total) => onStage?.(steps === 0 ? 'baseline' : 'samples', done, total),
  });
}

/** The measurement that the last step lacks when the run was stopped in the middle of it. */
async function completeLastLine(
  output: Folder,
  observer: RunObserver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const lines = new TextDecoder()
    .decode((await output.read(LOG)) ?? new Uint8Array(0))
    .trimEnd()
    .split('\n');
  const last = JSON.parse(lines.at(-1)!) as TrainStep;
  if (last.heldOutLoss !== undefined) return;
  last.heldOutLoss = await observer.heldOutLoss({ signal });
  const text = [...lines.slice(0, -1), JSON.stringify(logLine(last))].join('\n');
  await output.write(LOG, new TextEncoder().encode(`${text}\n`));
}

/** @returns the folder that was written, if one was */
async function exportModel(
  folder: ModelFolder,
  trainer: Trainer,
  output: Folder,
  device: Device,
): Promise<string | null> {
  const trained = parseSafetensors(await writeTrained(trainer.tensors, device), MODEL);
  // In f32: the last steps' small changes would drown in the rounding of a half.
  for (const { path, parts } of await exportedFiles(folder, replacements(trained), { dtype: 'f32' }))
    await output.writeParts(`${MODEL}/${path}`, parts);
  return MODEL;
}

async function imageOf(
  path: string | null,
  images: TrainingImages,
  signal: AbortSignal | undefined,
): Promise<Tensor3D | null> {
  return path === null ? null : images.get(path, signal);
}

function logLine({ step, loss, lr, gradNorm, tokens, ms, ...more }: TrainStep): TrainStep {
  return { step, loss, lr, gradNorm, tokens, ms: Math.round(10 * ms) / 10, ...more };
}

async function writeFiles(
  trainer: Trainer,
  step: number,
  identity: string,
  run: RunConfig,
  output: Folder,
  device: Device,
): Promise<void> {
  await output.write(CHECKPOINT, await writeCheckpoint(trainer.tensors, step, identity, device));
  if (!run.lora) return;
  const { rank, alpha, dropout, targets } = run.lora;
  await output.write(ADAPTER_WEIGHTS, await writeTrained(trainer.tensors, device));
  const config = adapterConfig({ rank, alpha, dropout, targets, base: run.model });
  await output.write(ADAPTER_CONFIG, new TextEncoder().encode(config));
}

/** Restores the checkpoint and cuts the log back to it: steps after it are done again. */
async function resumeFrom(output: Folder, trainer: Trainer, identity: string): Promise<number> {
  const bytes = await output.read(CHECKPOINT);
  if (!bytes)
    throw new NvlmError('not-found', 'There is no checkpoint to resume from.', 'Leave --resume out to start the run.');
  const step = restoreCheckpoint(bytes, CHECKPOINT, trainer.tensors, identity);
  const log = new TextDecoder().decode((await output.read(LOG)) ?? new Uint8Array(0));
  const kept = log.split('\n').slice(0, step);
  const text = kept.length > 0 ? `${kept.join('\n').trimEnd()}\n` : '';
  await output.write(LOG, new TextEncoder().encode(step === 0 ? '' : text));
  return step;
}
