import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { DataProblem } from '../datasets/llava.ts';
import { figuresOf, scoreAnswers, type QuestionFigures } from '../engine/measure/answer-scores.ts';
import { isBundled } from '../engine/models/bundled-models.ts';
import { withTileTags } from '../engine/runs/tile-tags.ts';
import type { TrainRequest, TrainResult, TrainStep } from '../engine/runs/train.ts';
import type { RunSample } from '../engine/runs/training-api.ts';
import { NvlmError } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import { nodeFolder } from '../files/node-folder.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { readAdapterFolder } from './adapter-folder.ts';
import { labelTables } from './answer-text.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { warnOfProblems, withDataOptions, type DataOptions } from './data-reader.ts';
import { formatDuration } from './format.ts';
import { readInput } from './input-files.ts';
import { modelSource } from './model-source.ts';
import { commandDevices, openFiles } from './node-platform.ts';
import { deviceName, reportLoading, warnOfSoftwareAdapter } from './open-engine.ts';
import { readRunData } from './run-data.ts';
import { trainingPlanText } from './training-plan-text.ts';

interface TrainOptions extends CommonOptions, DataOptions {
  config?: string;
  resume?: boolean;
  force?: boolean;
  plan?: boolean;
  out?: string;
  steps?: number;
}

type RunConfig = TrainRequest['run'];

/** A copy of the run file in the run's folder. */
const RUN_FILE = 'run.json';
const MOST_RUN_BYTES = 2 ** 20;

export function addTrain(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('train')
      .description(
        'Fine-tune a model by a run file: connector and cross-attention, the whole decoder, or a LoRA adapter. ' +
          'Writes log.jsonl, a checkpoint, and the adapter or the tuned model; Ctrl-C leaves a checkpoint too.',
      )
      .option('--config <file>', 'required: run file (JSON); paths in it are relative to it')
      .option('--resume', "continue from the checkpoint in the run's folder")
      .option('--force', "start again over what an earlier run left in the run's folder")
      .option('--plan', 'say what the run will need in memory here, and train nothing')
      .option('--out <folder>', 'where log and checkpoint go, instead of the run file\'s "out"')
      .option('--steps <n>', 'how many steps, instead of the run file\'s "steps"', wholeNumber(1)),
  );
  withDataOptions(command).action((options: TrainOptions) => run(options, (context) => trainModel(options, context)));
}

async function trainModel(options: TrainOptions, context: Context) {
  const { signal, backend, progress } = context;
  const file = required(options.config, '--config');
  const beside = (path: string) => resolve(dirname(file), path);
  const json = await readRunFile(file);
  const engine = await Promise.all([
    import('../device/open-device.ts'),
    import('../engine/chat/session.ts'),
    import('../engine/runs/train.ts'),
    import('../engine/runs/training-plan.ts'),
    import('../engine/adapters/adapter.ts'),
  ]);
  const [{ openDevice }, { Session }, { train, parseRun, CHECKPOINT, SAMPLES }, { planOnData }, { readAdapter }] = engine;
  const parsed = parseRun(json, file);
  const run = { ...parsed, steps: options.steps ?? parsed.steps };
  const place = options.plan ? null : await outputOf(run, options, beside, CHECKPOINT);
  const learnt = await readRunData(run, beside, options, context);
  const init = run.lora?.init ? await readAdapterFolder(beside(run.lora.init)) : null;
  const source = await modelSource(await modelName(run.model, beside));
  const folder = withTileTags(await openModelFolder(await openFiles(source, { signal }), signal), run);
  context.caution(folder.warnings);
  const reading = {
    signal,
    onPlanned: (done: number, total: number) => progress.update('Reading the data', done, total, 'records'),
    onProblems: (problems: readonly DataProblem[]) => warnOfProblems(problems, context),
  };
  if (place === null) {
    const { info } = await openDevice(backend, commandDevices(context));
    const plan = await planOnData({ ...learnt, folder, run, init, device: info }, reading);
    await folder.files.close();
    const document = { model: run.model, backend: info.backend, ...plan };
    return { document, text: trainingPlanText(run.model, info.backend, plan), failed: plan.verdict !== 'fits' };
  }

  const { out, output } = place;
  await keepRunFile(json, file, out, beside);
  const device = await openDevice(backend, commandDevices(context));
  warnOfSoftwareAdapter(device.info, context);
  const session = await Session.open(folder, device, {
    quantize: run.quantize ?? undefined,
    signal,
    onProgress: (loading) => reportLoading(run.model, loading, context),
  }).catch((error: unknown) => {
    throw device.explain(error);
  });

  const pace = new Pace(run.steps);
  const result = await train(
    {
      model: session.model,
      folder,
      text: session.requireText(),
      device,
      run,
      ...learnt,
      adapter: init && readAdapter(session.model, init),
      output,
      resume: options.resume ?? false,
    },
    {
      ...reading,
      onStep: (step) => progress.say(pace.line(step)),
      onSample: ({ step, record, expected, answer }) =>
        progress.say(`after ${step} steps, ${record}: ${JSON.stringify(answer)}, expected ${JSON.stringify(expected)}`),
    },
  );
  const answered = await answersOf(output, SAMPLES);
  const { problems, ...summary } = result;
  const tuned = result.exported ? `, the tuned model in ${join(out, result.exported)}` : '';
  return {
    document: {
      ...summary,
      problems: problems.length,
      ...(answered && { answers: answered }),
      out,
      backend: device.info.backend,
      adapter: device.info.adapter,
    },
    text: `${describe(result)} on ${deviceName(device.info)}; log and checkpoint are in ${out}${tuned}${answered ? answerText(answered) : ''}`,
    interrupted: result.interrupted,
  };
}

/** The last round of sample answers, and the base's to the same questions. */
interface Answers {
  /** Steps behind the last round. */
  step: number;
  base: QuestionFigures[];
  tuned: QuestionFigures[];
}

/** From the file, for a run that goes on has answers from before; null where none were asked for. */
async function answersOf(output: Folder, path: string): Promise<Answers | null> {
  const lines = new TextDecoder().decode((await output.read(path)) ?? new Uint8Array(0)).split('\n');
  const samples = lines.filter(Boolean).map((line) => JSON.parse(line) as RunSample);
  const step = samples.at(-1)?.step ?? 0;
  if (step === 0) return null;
  const at = (round: number) => scoreAnswers(samples.filter((sample) => sample.step === round)).map(figuresOf);
  return { step, base: at(0), tuned: at(step) };
}

function answerText({ step, base, tuned }: Answers): string {
  const right = (some: QuestionFigures[]) => some.reduce((sum, one) => sum + one.right, 0);
  const asked = tuned.reduce((sum, one) => sum + one.asked, 0);
  return `\nright after step ${step}: base ${right(base)}, tuned ${right(tuned)} of ${asked} held-out questions\n${labelTables(tuned)}`.trimEnd();
}

/** With paths from the run's own folder, so that the folder can be gone on with as it lies, here or in the page. */
async function keepRunFile(json: unknown, file: string, out: string, beside: (path: string) => string): Promise<void> {
  if (resolve(file) === resolve(out, RUN_FILE)) return;
  const from = (path: unknown) => (typeof path === 'string' ? relative(out, beside(path)) || '.' : path);
  const part = (value: unknown, key: string) =>
    typeof value === 'object' && value !== null ? { ...value, [key]: from((value as Record<string, unknown>)[key]) } : value;
  const run = json as Record<string, unknown>;
  const model = String(run['model']);
  const place = await modelName(model, beside);
  const kept = {
    ...run,
    model: place === model ? model : from(model),
    data: from(run['data']),
    held_out: from(run['held_out']),
    text: part(run['text'], 'data'),
    blend: part(run['blend'], 'data'),
    lora: await withInit(run['lora'], out, beside),
    out: '.',
  };
  await nodeFolder(out).write(RUN_FILE, new TextEncoder().encode(`${JSON.stringify(kept, null, 2)}\n`));
}

/** The adapter that a run begins with comes along, for the folder to be gone on with elsewhere. */
async function withInit(lora: unknown, out: string, beside: (path: string) => string): Promise<unknown> {
  const { init } = (lora ?? {}) as { init?: unknown };
  if (typeof init !== 'string') return lora;
  const { INIT, INIT_FILES } = await import('../engine/runs/run-init.ts');
  for (const path of INIT_FILES) {
    const from = resolve(beside(init), basename(path));
    if (from !== resolve(out, path)) await nodeFolder(out).write(path, await readFile(from));
  }
  return { ...(lora as object), init: INIT };
}

async function readRunFile(file: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readInput(file, MOST_RUN_BYTES));
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new NvlmError('usage', `${file} is not JSON: ${(cause as Error).message}.`, 'Correct the run file.', {
      cause,
    });
  }
}

/** @throws NvlmError `usage` without a folder, or over an earlier run */
async function outputOf(
  run: RunConfig,
  options: TrainOptions,
  beside: (path: string) => string,
  checkpoint: string,
): Promise<{ out: string; output: Folder }> {
  const out = options.out ?? (run.out === null ? null : beside(run.out));
  if (out === null) throw new NvlmError('usage', 'The run has no folder to write to.', 'Give --out, or "out" in the run file.');
  const { resume, force } = options;
  if (resume && force) throw new NvlmError('usage', '--resume and --force contradict each other.', 'Give one of them.');
  const output = nodeFolder(out);
  if (resume || force || (await output.read(checkpoint)) === null) return { out, output };
  throw new NvlmError('usage', `"${out}" holds the checkpoint of an earlier run.`, 'Add --resume or --force, or give another --out.');
}

/** A folder beside the run file, or whatever else `--model` takes. */
async function modelName(model: string, beside: (path: string) => string): Promise<string> {
  if (isBundled(model)) return model;
  if (model.startsWith('files:') || model.startsWith('run:')) {
    throw new NvlmError(
      'not-found',
      `The model of this run, ${model}, was open in a page.`,
      'Put the path of its folder under "model" in the run file.',
    );
  }
  const found = await stat(beside(model)).catch(() => null);
  return found?.isDirectory() ? beside(model) : model;
}

function describe({ steps, resumedFrom, loss, parameters, interrupted }: TrainResult): string {
  const done = interrupted ? `Stopped after step ${steps}` : `${steps} steps`;
  const from = resumedFrom > 0 ? `, from step ${resumedFrom}` : '';
  const last = loss === null ? '' : `, last loss ${loss.toPrecision(4)}`;
  return `${done}${from}${last}; ${parameters.toLocaleString('en')} parameters trained`;
}

/** Speed of the last steps and what is left of the run. */
class Pace {
  private msPerStep: number | null = null;

  constructor(private readonly steps: number) {}

  line({ step, loss, lr, tokens, ms, heldOutLoss }: TrainStep): string {
    // The first step encodes pictures and compiles: it counts until there is another.
    this.msPerStep = this.msPerStep === null || step <= 1 ? ms : 0.9 * this.msPerStep + 0.1 * ms;
    const left = ((this.steps - step - 1) * this.msPerStep) / 1000;
    return [
      `step ${step + 1} of ${this.steps}`,
      `loss ${loss.toPrecision(4)}`,
      ...(heldOutLoss === undefined ? [] : [`held-out loss ${heldOutLoss.toPrecision(4)}`]),
      `lr ${lr.toExponential(1)}`,
      `${((1000 * tokens) / ms).toFixed(0)} tokens/s`,
      `${formatDuration(left)} left`,
    ].join('  ');
  }
}
