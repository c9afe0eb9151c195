import type { Tensor3D } from '@tensorflow/tfjs';
import type { Device } from '../../device/types.ts';
import type { DataProblem } from '../../datasets/llava.ts';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { namingOf } from '../../nvlm/naming.ts';
import { sharedPositions } from '../../nvlm/shared-prefix.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { adapterFiles } from '../../training/adapter-files.ts';
import { Batches } from '../../training/batches.ts';
import { restoreCheckpoint, runIdentity, writeCheckpoint, writeTrained, type RunIdentity } from '../../training/checkpoint.ts';
import { targetsOf, type AdapterModule } from '../../nvlm/adapters/adapter-modules.ts';
import type { RunConfig } from '../../training/run-config.ts';
import { packsOf } from '../../training/packs.ts';
import { Trainer, type TrainingSample } from '../../training/trainer.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import { parseSafetensors } from '../../weights/safetensors.ts';
import { exportedFiles, replacements } from '../export/export-model.ts';
import type { FeatureStore } from './feature-store.ts';
import { RunObserver, SAMPLES } from './run-observer.ts';
import { fingerprintOf, readPools, type Pools, type PoolOptions, type RunData } from './run-pools.ts';
import { answerQuestions, planQuestions, type SampleQuestion } from './run-samples.ts';
import { stopIdsOf } from '../chat/special-tokens.ts';
import type { TextSide } from '../chat/text-side.ts';
import { TrainingImages } from './train-data.ts';
import type { RunSample, RunStep } from './training-api.ts';
import { sharedOf, type TrainingExample } from './plan-examples.ts';
import { yieldToEventLoop } from '../yield.ts';

export { parseRun } from '../../training/run-config.ts';
export { SAMPLES };

export const CHECKPOINT = 'checkpoint.safetensors';
export const LOG = 'log.jsonl';
/** The tuned model as a folder of its own. */
export const MODEL = 'model';

export interface TrainRequest extends RunData {
  model: NvlmModel;
  /** Where the model came from; a finished run without LoRA writes it again with what it trained. */
  folder: ModelFolder;
  text: TextSide;
  device: Device;
  run: RunConfig;
  /** What a LoRA run starts from; null = a fresh adapter. */
  adapter: AdapterModule[] | null;
  output: Folder;
  resume: boolean;
  /** What earlier runs made of the same pictures; without one nothing outlives the run. */
  features?: FeatureStore;
}

/** One line of the log. */
export type TrainStep = RunStep;

export interface TrainOptions extends PoolOptions {
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
  const { model, device, run, adapter, text, readImage } = request;
  try {
    const pools = await readPools(request, options);
    const questions = await planQuestions(text, pools.asked, readImage, run.maxTiles);
    const trainer = await Trainer.create(model, run, device, adapter);
    const images = new TrainingImages(model, trainer, device, request.readImage, run.maxTiles, request.features ?? null);
    try {
      return await runSteps({ ...request, ...pools, questions, trainer, images }, options);
    } finally {
      images.dispose();
      trainer.settle();
      trainer.dispose();
    }
  } catch (error) {
    throw device.explain(error);
  }
}

type RunningRequest = TrainRequest & Pools & { questions: SampleQuestion[]; trainer: Trainer; images: TrainingImages };

async function runSteps(request: RunningRequest, options: TrainOptions): Promise<TrainResult> {
  const { examples, mainCount, problems, trainer, images, run, folder, output, resume, device } = request;
  const { signal, onStep, onStage } = options;
  const identity = runIdentity(run, fingerprintOf(request));
  const observer = observe(request, options);
  const first = resume ? await resumeFrom(output, trainer, identity) : 0;
  if (!resume) await output.write(LOG, new Uint8Array(0));
  const isAsked = await observer.cutBack(first);
  const [main, blended] = [unitsOf(examples.slice(0, mainCount), run), unitsOf(examples.slice(mainCount), run)];
  const units = [...main, ...blended];
  const batches = new Batches(main.map(lengthOf), blended.map(lengthOf), {
    ...run,
    blendRatio: (run.text ?? run.blend)?.ratio ?? 0,
  });
  const state = { step: first, saved: first, loss: null as number | null, tokens: 0 };
  const save = async () => {
    onStage?.('save', 0, 1);
    await writeFiles(request, state.step, identity);
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
        const picked = batches.at(state.step * run.accumulate + part).flatMap((unit) => units[unit]!);
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
      const [asks, saves] = [observer.asksAt(state.step), state.step % run.checkpointEvery === 0];
      if (asks) await observer.ask(state.step, { signal });
      // Last, so that what is resumed from has its measurements and answers.
      if (saves) await save();
      if (asks || saves) onStage?.('train', state.step, run.steps);
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

/** What a batch counts: records, or when they are packed, pictures with all their questions. */
function unitsOf(examples: readonly TrainingExample[], { pack }: Pick<RunConfig, 'pack'>): TrainingExample[][] {
  if (!pack) return examples.map((example) => [example]);
  return packsOf(examples.map(({ image }) => image)).map((indices) => indices.map((index) => examples[index]!));
}

function lengthOf(unit: readonly TrainingExample[]): number {
  return sharedPositions(sharedOf(unit));
}

function observe(request: RunningRequest, { onStage, onSample }: TrainOptions): RunObserver {
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
async function completeLastLine(output: Folder, observer: RunObserver, signal: AbortSignal | undefined): Promise<void> {
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
async function exportModel(folder: ModelFolder, trainer: Trainer, output: Folder, device: Device): Promise<string | null> {
  const trained = parseSafetensors(await writeTrained(trainer.tensors, device), MODEL);
  // In f32: the last steps' small changes would drown in the rounding of a half.
  for (const { path, parts } of await exportedFiles(folder, replacements(trained), { dtype: 'f32' }))
    await output.writeParts(`${MODEL}/${path}`, parts);
  return MODEL;
}

async function imageOf(path: string | null, images: TrainingImages, signal: AbortSignal | undefined): Promise<Tensor3D | null> {
  return path === null ? null : images.get(path, signal);
}

function logLine({ step, loss, lr, gradNorm, tokens, ms, ...more }: TrainStep): TrainStep {
  return { step, loss, lr, gradNorm, tokens, ms: Math.round(10 * ms) / 10, ...more };
}

async function writeFiles(
  { trainer, run, model, folder, output, device, adapter }: TrainRequest & { trainer: Trainer },
  step: number,
  identity: RunIdentity,
): Promise<void> {
  await output.write(CHECKPOINT, await writeCheckpoint(trainer.tensors, step, identity, device));
  const modules = trainer.adapter;
  if (!run.lora || !modules) return;
  const naming = namingOf(model.config.family.namings, folder.tensors.keys());
  // One that was begun with has modules of its own, whatever the run file targets.
  const targets = adapter
    ? targetsOf(
        model.weights,
        modules.map(({ module }) => module),
      )
    : run.lora.targets;
  const lora = { ...run.lora, targets };
  const description = { lora, modules, base: run.model, naming, isTextModel: !model.config.vision };
  for (const [path, bytes] of await adapterFiles(trainer.tensors, description, device)) await output.write(path, bytes);
}

/** Restores the checkpoint and cuts the log back to it: steps after it are done again. */
async function resumeFrom(output: Folder, trainer: Trainer, identity: RunIdentity): Promise<number> {
  const bytes = await output.read(CHECKPOINT);
  if (!bytes) throw new NvlmError('not-found', 'There is no checkpoint to resume from.', 'Leave --resume out to start the run.');
  const step = restoreCheckpoint(bytes, CHECKPOINT, trainer.tensors, identity);
  const log = new TextDecoder().decode((await output.read(LOG)) ?? new Uint8Array(0));
  const kept = log.split('\n').slice(0, step);
  const text = kept.length > 0 ? `${kept.join('\n').trimEnd()}\n` : '';
  await output.write(LOG, new TextEncoder().encode(step === 0 ? '' : text));
  return step;
}
