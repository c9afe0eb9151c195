import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { openDevice } from '../device/open-device.ts';
import { MOST_THREADS } from '../device/thread-choice.ts';
import { cellsOf, type LabCell, type LabChoice } from '../engine/lab/cells.ts';
import { parseExperiment, type Experiment } from '../engine/lab/experiment.ts';
import type { LabEvent, LabHost } from '../engine/lab/run-cell.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import { nodeFolder } from '../files/node-folder.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Outcome, type Run } from './command.ts';
import { formatDuration } from './format.ts';
import { readInput } from './input-files.ts';
import { modelSource } from './model-source.ts';
import { commandDevices, nodeEnginePlatform, openFiles } from './node-platform.ts';

interface LabOptions extends CommonOptions {
  scale?: string;
  seeds?: number;
  out?: string;
  cell?: string;
  workers?: number;
  to?: string;
}

const MOST_FILE_BYTES = 2 ** 20;
const MOST_WORKERS = 256;

export function addLab(program: Command, run: Run): void {
  const lab = program.command('lab').description('Experiments: runs that differ in one factor, over several seeds. See experiments/.');
  const withChoice = (command: Command) =>
    withCommonOptions(
      command
        .option('--scale <name>', "one of the file's scales; default: its first")
        .option('--seeds <n>', "how many of the file's seeds; default: the scale's", wholeNumber(1)),
    );
  withChoice(
    lab.command('plan').argument('<file>', 'experiment (JSON)').description('Runs, questions, time and memory here; trains nothing.'),
  )
    .option('--out <folder>', 'where earlier cells lie, if any')
    .action((file: string, options: LabOptions) => run(options, (context) => planLab(file, options, context)));
  withChoice(
    lab
      .command('run')
      .argument('<file>', 'experiment (JSON)')
      .description('Runs what is not done yet. Ctrl-C leaves checkpoints; run it again to go on.'),
  )
    .option('--out <folder>', 'required: where runs, data and results go')
    .option(
      '--cell <k>',
      "run the one cell of this index; `array` takes it from the job's own environment (Slurm arrays, Kubernetes indexed Jobs)",
    )
    .option('--workers <n>', 'processes side by side, one a cell', wholeNumber(1, MOST_WORKERS))
    .action((file: string, options: LabOptions) => run(options, (context) => runLab(file, options, context)));
  withChoice(
    lab
      .command('report')
      .argument('<file>', 'experiment (JSON)')
      .argument('<folders...>', 'folders that `run` wrote; what they have is put together'),
  )
    .description('Means, intervals and differences of the cells that are done, as JSON, CSV, Markdown and a picture.')
    .option('--to <folder>', 'where the files go; default: the first folder')
    .action((file: string, folders: string[], options: LabOptions) => run(options, () => reportLab(file, folders, options)));
}

async function readExperiment(file: string): Promise<Experiment> {
  const text = new TextDecoder().decode(await readInput(file, MOST_FILE_BYTES));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new NvlmError('usage', `${file} is not JSON: ${(cause as Error).message}.`, 'Correct the experiment file.', { cause });
  }
  return parseExperiment(json, file);
}

function choiceOf({ scale, seeds }: LabOptions): LabChoice {
  return { scale: scale ?? null, seeds: seeds ?? null };
}

async function openHost(out: string | null, { backend, threads }: Context): Promise<{ host: LabHost; dispose(): Promise<void> }> {
  const { createEngine } = await import('../engine/engine.ts');
  const { MemoryFolder } = await import('../files/memory-folder.ts');
  const files = out === null ? new MemoryFolder() : nodeFolder(out);
  const engine = createEngine(nodeEnginePlatform(files, { threads }));
  let isOpen = false;
  const host: LabHost = {
    engine: {
      ...engine,
      // Only the runs need it: measurements open a device of their own.
      startRun: async (...given) => (await ready(), engine.startRun(...given)),
      resumeRun: async (...given) => (await ready(), engine.resumeRun(...given)),
      planRun: async (...given) => (await ready(), engine.planRun(...given)),
      device: async () => (await ready(), engine.device()),
    },
    files,
    modelSource,
    async alone(_signal, work) {
      const device = await openDevice(backend, commandDevices({ threads }));
      try {
        return await work(device, async (model) => openModelFolder(await openFiles(await modelSource(model))));
      } finally {
        await device.dispose();
      }
    },
  };
  async function ready(): Promise<void> {
    if (!isOpen) await engine.openDevice(backend);
    isOpen = true;
  }
  return { host, dispose: () => engine.dispose() };
}

async function planLab(file: string, options: LabOptions, context: Context): Promise<Outcome> {
  const experiment = await readExperiment(file);
  const { planExperiment } = await import('../engine/lab/plan-experiment.ts');
  const done = options.out === undefined ? null : nodeFolder(options.out);
  const { host, dispose } = await openHost(null, context);
  try {
    const plan = await planExperiment(host, done, experiment, choiceOf(options), {
      signal: context.signal,
      onProgress: (i, total) => context.progress.update('Planning', i, total, 'levels'),
    });
    const lines = [
      experiment.question,
      `${plan.cells.length} runs (${experiment.levels.length} × ${experiment.factor}, ${plan.cells.length / experiment.levels.length} seeds), scale "${plan.scale}"; ${plan.done} of them done.`,
      `${plan.samples} samples to learn from and ${plan.questions} questions to answer in all.`,
      `About ${formatDuration(plan.seconds)} on ${plan.backend} with one process, ${(plan.bytes / 2 ** 20).toFixed(0)} MB of memory each.`,
    ];
    return { document: { ...plan }, text: lines.join('\n') };
  } finally {
    await dispose();
  }
}

async function runLab(file: string, options: LabOptions, context: Context): Promise<Outcome> {
  const experiment = await readExperiment(file);
  const out = required(options.out, '--out');
  const choice = choiceOf(options);
  const cells = cellsOf(experiment, choice);
  await mkdir(out, { recursive: true });
  if (options.workers !== undefined && options.cell === undefined) return runWorkers(file, cells, out, options, context);
  const chosen = options.cell === undefined ? cells : [cellAt(cells, options.cell)];
  const { runCell } = await import('../engine/lab/run-experiment.ts');
  const { readCell } = await import('../engine/lab/run-cell.ts');
  const { host, dispose } = await openHost(out, context);
  let skipped = 0;
  try {
    for (const [i, cell] of chosen.entries()) {
      throwIfAborted(context.signal);
      if (await readCell(host.files, experiment, choice, cell)) {
        skipped++;
        continue;
      }
      const name = `${cell.level}, seed ${cell.seed}`;
      context.progress.say(`cell ${cell.index} (${i + 1} of ${chosen.length}): ${name}`);
      const result = await runCell(host, experiment, choice, cell, {
        signal: context.signal,
        onEvent: (event) => report(event, name, context),
      });
      const figures = Object.entries(result.metrics)
        .slice(0, 4)
        .map(([metric, value]) => `${metric} ${value.toPrecision(3)}`);
      context.progress.say(`cell ${cell.index} done in ${formatDuration(result.seconds)}: ${figures.join(', ')}`);
    }
  } finally {
    await dispose();
  }
  const ran = chosen.length - skipped;
  return {
    document: { experiment: experiment.name, out, cells: chosen, ran, skipped },
    text: `${ran} cells run, ${skipped} were done already; nvlm lab report ${file} ${out} puts them together`,
  };
}

function report(event: LabEvent, name: string, { progress }: Context): void {
  if (event.type === 'data') progress.update('Drawing', event.done, event.total, 'pictures');
  else if (event.type === 'measured') progress.update('Measuring', event.done, event.total, 'numbers of tiles');
  else if (event.type === 'step') progress.update(name, event.step.step + 1, event.step.step + 1, 'steps');
  else if (event.type === 'stage') progress.update(`${name}: ${event.stage}`, event.done, event.total, 'steps');
}

/** Where array jobs say which of them they are. */
const ARRAY_VARIABLES = ['SLURM_ARRAY_TASK_ID', 'JOB_COMPLETION_INDEX'];

/** @throws NvlmError `usage` */
function cellAt(cells: readonly LabCell[], given: string): LabCell {
  const variable = given === 'array' ? ARRAY_VARIABLES.find((name) => process.env[name] !== undefined) : null;
  if (variable === undefined)
    throw new NvlmError(
      'usage',
      '--cell array finds no index in the environment.',
      `Set ${ARRAY_VARIABLES.join(' or ')}, or give the index.`,
    );
  const text = variable === null ? given : process.env[variable]!;
  const cell = /^\d+$/.test(text) ? cells[Number(text)] : undefined;
  if (cell) return cell;
  throw new NvlmError('usage', `There is no cell "${text}".`, `Give a whole number from 0 to ${cells.length - 1}, or \`array\`.`);
}

/** A process a cell, so many at a time, which share the cores. */
async function runWorkers(file: string, cells: readonly LabCell[], out: string, options: LabOptions, context: Context): Promise<Outcome> {
  const left = [...cells];
  const workers = Math.min(options.workers!, cells.length);
  const threads = options.threads ?? Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / workers)));
  const failed: number[] = [];
  const work = async () => {
    for (let cell = left.shift(); cell && !context.signal.aborted; cell = left.shift()) {
      const code = await runProcess(file, cell.index, out, { ...options, threads }, context);
      if (code !== 0) failed.push(cell.index);
      else context.progress.say(`cell ${cell.index} of ${cells.length} is done: ${cell.level}, seed ${cell.seed}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  throwIfAborted(context.signal);
  return {
    document: { experiment: file, out, cells, ran: cells.length - failed.length, failed },
    text:
      failed.length === 0
        ? `All ${cells.length} cells are done`
        : `Cells ${failed.join(', ')} failed; run it again, or each alone with --cell to see why`,
    failed: failed.length > 0,
  };
}

function runProcess(
  file: string,
  cell: number,
  out: string,
  { scale, seeds, backend, threads }: LabOptions,
  { signal, warn }: Context,
): Promise<number> {
  const nvlm = fileURLToPath(new URL('./nvlm.mjs', import.meta.url));
  const chosen = [...(scale === undefined ? [] : ['--scale', scale]), ...(seeds === undefined ? [] : ['--seeds', String(seeds)])];
  const args = [
    nvlm,
    'lab',
    'run',
    file,
    '--cell',
    String(cell),
    '--out',
    out,
    '--backend',
    backend,
    '--threads',
    String(threads),
    ...chosen,
  ];
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let last = '';
    child.stderr.on('data', (text: Buffer) => (last = (last + text.toString()).slice(-2000)));
    const stop = () => child.kill('SIGINT');
    signal.addEventListener('abort', stop);
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (code !== 0 && !signal.aborted) warn(`cell ${cell}: ${last.trim().split('\n').slice(-3).join(' ')}`);
      done(code ?? 1);
    });
  });
}

async function reportLab(file: string, folders: readonly string[], options: LabOptions): Promise<Outcome> {
  const experiment = await readExperiment(file);
  const choice = choiceOf(options);
  const { collectCells, makeReport } = await import('../engine/lab/report.ts');
  const { reportFiles } = await import('../engine/lab/report-files.ts');
  const results = await collectCells(folders.map(nodeFolder), experiment, choice);
  const made = makeReport(experiment, choice, results);
  const to = resolve(options.to ?? join(folders[0]!, 'report'));
  const files = reportFiles(experiment, made, results);
  for (const { path, text } of files) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await writeFile(join(to, path), text);
  }
  return {
    document: { ...made, files: files.map(({ path }) => join(to, path)) },
    text: `${files.find(({ path }) => path.endsWith('.md'))!.text}\nwritten to ${to}`,
  };
}
