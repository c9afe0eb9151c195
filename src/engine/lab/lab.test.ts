/** A cell is an ordinary run, whatever happens on the way and wherever it is run. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../tests/cli/run-cli.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { nodeFolder } from '../../files/node-folder.ts';
import { nodeEnginePlatform } from '../../headless/node-platform.ts';
import { NvlmError } from '../../errors.ts';
import type { Engine } from '../api.ts';
import { createEngine } from '../engine.ts';
import { cellsOf, type LabChoice } from './cells.ts';
import { parseExperiment } from './experiment.ts';
import { planExperiment } from './plan-experiment.ts';
import { reportFiles } from './report-files.ts';
import { collectCells, makeReport } from './report.ts';
import { reportSvg } from './report-svg.ts';
import { runCell, runExperiment } from './run-experiment.ts';
import type { CellResult, LabHost } from './run-cell.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const golden = join(root, 'tests/fixtures/goldens/nvlm-d');
const choice: LabChoice = { scale: null, seeds: null };

const experiment = parseExperiment(
  {
    name: 'tiny',
    question: 'Does it hold together?',
    paper: 'Nothing.',
    kind: 'training',
    factor: 'text',
    reference: 'some',
    run: { model: golden, batch: 2, checkpoint_every: 2, optimizer: { lr: 1e-3 } },
    levels: [{ level: 'none' }, { level: 'some', run: { text: { ratio: 0.5 }, tile_tags: '2d-grid' } }],
    train: { source: 'desk', count: 2, tiles: [1, 2] },
    text: { source: 'text', count: 4 },
    // Few: a random model answers until it is cut off.
    evaluate: [{ source: 'text', count: 1 }],
    measure: [{ metric: 'all' }, { metric: 'text', pictures: false }],
    seeds: [1, 2],
    scales: { tiny: { steps: 3, seeds: 2 } },
  },
  'tiny',
);
if (experiment.kind !== 'training') throw new Error('a training experiment');

let engines: Engine[] = [];
let place: string;
let files: MemoryFolder;
let whole: CellResult[];

async function openLab(folder: MemoryFolder): Promise<LabHost> {
  const engine = createEngine(nodeEnginePlatform(folder));
  engines.push(engine);
  await engine.openDevice('wasm');
  const alone = () => Promise.reject(new Error('nothing is measured here'));
  return { engine, files: folder, modelSource: async (path) => ({ kind: 'folder', path }), alone };
}

const reportOf = async (...folders: MemoryFolder[]) => {
  const results = await collectCells(folders, experiment, choice);
  return { report: makeReport(experiment, choice, results), results };
};

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'nvlm-lab-'));
  files = new MemoryFolder();
  whole = await runExperiment(await openLab(files), experiment, choice);
}, 240_000);
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
  engines = [];
  await rm(place, { recursive: true });
});

it('runs every level with every seed, and says what came of it', async () => {
  expect(cellsOf(experiment, choice).map(({ index, level, seed }) => [index, level, seed])).toEqual([
    [0, 'none', 1],
    [1, 'some', 1],
    [2, 'none', 2],
    [3, 'some', 2],
  ]);
  const { report, results } = await reportOf(files);
  expect(report.missing).toEqual([]);
  const of = (level: string) => report.summary.find((one) => one.level === level && one.metric === 'training loss')!;
  const losses = whole.filter(({ level }) => level === 'none').map(({ metrics }) => metrics['training loss']!);
  expect(of('none').mean).toBeCloseTo((losses[0]! + losses[1]!) / 2, 12);
  expect(of('none').seeds).toBe(2);
  // Level, seed and what they change are really in the runs.
  expect(new Set(whole.map((cell) => JSON.stringify(cell.losses))).size).toBe(4);
  for (const { answers, rounds } of whole) {
    expect(answers).toHaveLength(1);
    expect(rounds.map(({ step }) => step)).toEqual([0, 3]);
  }
  const made = reportFiles(experiment, report, results);
  const harness = made
    .filter(({ path }) => /results_.*\.json$/.test(path))
    .map(({ text }) => JSON.parse(text) as { results: Record<string, object> });
  expect(harness).toHaveLength(4);
  expect(made.find(({ path }) => path.endsWith('.svg'))!.text).toContain('</svg>');
});

it('says in its picture what computed, in a line that ends, and where there is no interval', async () => {
  const { report } = await reportOf(files);
  expect(reportSvg(experiment, report)).toContain('mean and 95 % interval over seeds');
  const alone = { ...report, summary: report.summary.map((one) => ({ ...one, low: null, high: null })) };
  const svg = reportSvg(experiment, { ...alone, devices: ['wasm', `webgpu (<${'x'.repeat(300)}>)`] });
  expect(svg).toContain('one seed, so no interval');
  const lines = [...svg.matchAll(/<text x="16" [^>]*>([^<]*)</g)].map(([, text]) => text!);
  expect(lines[1]).toBe('wasm');
  expect(lines[2]).toMatch(/^webgpu \(&lt;x+…$/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(120);
});

it('is bit-equal to nvlm train of the same run file', async () => {
  const folder = nodeFolder(join(place, 'run'));
  const engine = engines[0]!;
  const { run } = whole.find(({ level, seed }) => level === 'some' && seed === 1)!;
  for (const { path, bytes } of await engine.exportRun(run!, 'run')) await folder.write(path, bytes);
  const { code } = await runCli([
    'train',
    '--config',
    join(place, 'run/run.json'),
    '--out',
    join(place, 'again'),
    '--backend',
    'wasm',
    '--json',
  ]);
  expect(code).toBe(0);
  for (const path of ['checkpoint.safetensors', 'samples.jsonl', 'model/config.json'])
    expect((await readFile(join(place, 'again', path))).equals(await readFile(join(place, 'run', path))), path).toBe(true);
}, 240_000);

it.each([1, 2])(
  'killed after step %i of a cell and run again, gives the same report',
  async (steps) => {
    const folder = new MemoryFolder();
    const stop = new AbortController();
    let taken = 0;
    const onEvent = (event: { type: string }) => {
      if (event.type === 'step' && ++taken === steps) stop.abort();
    };
    const cell = cellsOf(experiment, choice)[1]!;
    const first = await openLab(folder);
    await expect(runCell(first, experiment, choice, cell, { signal: stop.signal, onEvent })).rejects.toMatchObject({ code: 'cancelled' });
    // What a killed process leaves is no more than a paused one: the checkpoint of an earlier step at least.
    const again = await runCell(await openLab(folder), experiment, choice, cell);
    const wanted = whole[1]!;
    const figures = ({ metrics, losses, rounds, answers }: CellResult) => ({ metrics, losses, rounds, answers });
    expect(figures(again)).toEqual(figures(wanted));
  },
  240_000,
);

describe('two halves run on two machines', () => {
  const half = async (keep: (path: string) => boolean) => {
    const folder = new MemoryFolder();
    for (const { path } of await files.list('lab')) if (keep(path)) await folder.write(path, (await files.read(path))!);
    return folder;
  };

  it('merge to the whole; what is missing is named', async () => {
    const [one, two] = [await half((path) => path.includes('seed1')), await half((path) => path.includes('seed2'))];
    const all = await reportOf(files);
    expect((await reportOf(two, one)).report).toEqual(all.report);
    const { report } = await reportOf(one);
    expect(report.missing).toEqual([
      { level: 'none', seed: 2 },
      { level: 'some', seed: 2 },
    ]);
    expect(report.summary.every(({ low }) => low === null)).toBe(true);
  });

  it('are refused where they contradict each other, and where a file is no result', async () => {
    const other = await half(() => true);
    const [path] = [...other.files.keys()].filter((name) => !name.includes('begun'));
    const result = JSON.parse(new TextDecoder().decode(other.files.get(path!))) as CellResult;
    result.metrics['all'] = 0.123;
    await other.write(path!, new TextEncoder().encode(JSON.stringify(result)));
    await expect(reportOf(files, other)).rejects.toMatchObject({ code: 'bad-data' });
    await other.write(path!, new TextEncoder().encode('{"experiment":"tiny","answers":[null]}'));
    await expect(reportOf(other)).rejects.toBeInstanceOf(NvlmError);
  });
});

it('is planned before anything starts; what is done is left out', async () => {
  const host = await openLab(new MemoryFolder());
  const plan = await planExperiment(host, null, experiment, choice);
  expect(plan).toMatchObject({ done: 0, samples: 24, questions: 8 });
  expect(plan.cells).toHaveLength(4);
  expect(plan.seconds).toBeGreaterThan(0);
  expect(plan.bytes).toBeGreaterThan(1e6);
  expect(await planExperiment(host, files, experiment, choice)).toMatchObject({ done: 4, seconds: 0 });
});

it('array jobs find their cell in the environment', async () => {
  const file = join(place, 'tiny.json');
  await nodeFolder(place).write('tiny.json', new TextEncoder().encode(JSON.stringify({ ...tinyFile(), name: 'array' })));
  const args = ['lab', 'run', file, '--cell', 'array', '--out', join(place, 'array'), '--backend', 'wasm', '--json'];
  const one = await runCli(args, { env: { JOB_COMPLETION_INDEX: '1' } });
  expect(JSON.parse(one.stdout)).toMatchObject({ ran: 1, cells: [{ index: 1, level: 'some', seed: 1 }] });
  const same = await runCli(args, { env: { SLURM_ARRAY_TASK_ID: '1' } });
  expect(JSON.parse(same.stdout)).toMatchObject({ ran: 0, skipped: 1 });
  expect((await runCli(args)).code).toBe(2);
}, 240_000);

/** The same as a file: what was parsed has every key. */
function tinyFile(): object {
  const parsed = JSON.parse(JSON.stringify(experiment)) as Record<string, unknown>;
  return parsed;
}

it('the shipped experiments can be read', async () => {
  const names = (await readdir(join(root, 'experiments'))).filter((name) => name.endsWith('.json'));
  expect(names.sort()).toEqual(['data-quality.json', 'equal-scale.json', 'frozen-decoder.json', 'text-stability.json', 'tile-tags.json']);
  for (const name of names) {
    const parsed = parseExperiment(JSON.parse(await readFile(join(root, 'experiments', name), 'utf8')), name);
    expect(`${parsed.name}.json`).toBe(name);
    for (const scale of Object.keys(parsed.scales)) expect(cellsOf(parsed, { scale, seeds: null }).length).toBeGreaterThan(1);
  }
});
