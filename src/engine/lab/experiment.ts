/**
 * An experiment: runs that differ in one factor, some seeds each, and what is measured on them. Its file is JSON that anybody
 * may write, so everything in it is checked.
 */
import { NvlmError } from '../../errors.ts';
import { SYNTHETIC_MODELS } from '../../nvlm/synthetic-checkpoint.ts';

/** What a set of records is drawn from: the world that the nano models know, its texts alone, or a lesson in it. */
export type LabSource = 'desk' | 'text' | 'ring' | 'due';

export interface LabSet {
  source: LabSource;
  /** Pictures; for `text` questions. Scales multiply it. */
  count: number;
  /** Only pictures of so many regular tiles; null = all. */
  tiles: number[] | null;
  /** Share of the answers that are replaced by other answers to the same kind of question: bad data. */
  wrong: number;
}

/** The right answers among some of the questions, as one figure. */
export interface LabMetric {
  metric: string;
  /** Beginnings of task names (`note: line`, `text`); null = all. */
  tasks: string[] | null;
  tiles: number[] | null;
  /** Whether it is about pictures or text alone; null = both. */
  pictures: boolean | null;
}

export interface LabLevel {
  level: string;
  /** Laid over the experiment's run file. */
  run: Record<string, unknown>;
  /** Laid over its training data. */
  train: Partial<LabSet>;
}

export interface LabScale {
  steps: number;
  /** Factor on the training data's counts, and on those of the questions. */
  data: number;
  questions: number;
  /** Of the experiment's seeds, the first ones. */
  seeds: number;
  /** Rounds of questions on the way, the first one before the first step. */
  rounds: number;
  /** Efficiency: what is measured. `models` are the levels' own; `real`, random weights in a published model's shapes, answering alone. */
  shapes: (typeof SHAPES)[number];
  /** Efficiency: of the experiment's numbers of tiles, these alone; null = all. */
  tiles: number[] | null;
}

interface ExperimentBase {
  name: string;
  /** What it asks, in one sentence. */
  question: string;
  /** What the paper found, or left open. */
  paper: string;
  /** What the levels differ in. */
  factor: string;
  /** The level that the others are compared with. */
  reference: string;
  seeds: number[];
  scales: Record<string, LabScale>;
}

/** Fine-tuning runs, measured by the questions they answer right. */
export interface TrainingExperiment extends ExperimentBase {
  kind: 'training';
  /** Run file without data, steps and seed. */
  run: Record<string, unknown>;
  levels: LabLevel[];
  train: LabSet;
  /** Text-only records for runs with a `text` ratio; null = none are needed. */
  text: LabSet | null;
  evaluate: LabSet[];
  measure: LabMetric[];
}

/** Times and memory of the architectures. */
export interface EfficiencyExperiment extends ExperimentBase {
  kind: 'efficiency';
  /** Level names with the model of each, and which published shapes stand for it at the scales of real shapes. */
  levels: { level: string; model: string; shape: string | null }[];
  /** Regular tiles a picture. */
  tiles: number[];
}

export type Experiment = TrainingExperiment | EfficiencyExperiment;

/** Longest list that a file may hold, and longest text. */
const MOST_ENTRIES = 64;
const MOST_CHARACTERS = 2000;
const MOST_COUNT = 100_000;
const MOST_TILES = 12;
const SHAPES = ['models', 'real'] as const;
const SOURCES: readonly LabSource[] = ['desk', 'text', 'ring', 'due'];

/** @throws NvlmError `usage` that names the key and what it may be */
export function parseExperiment(json: unknown, path: string): Experiment {
  const file = new Reader(json, path);
  const scales = file.object('scales');
  const base = {
    name: file.name('name'),
    question: file.text('question'),
    paper: file.text('paper'),
    factor: file.text('factor'),
    reference: file.text('reference'),
    seeds: file.integers('seeds', 0, 2 ** 31) ?? file.fail('seeds', 'is missing'),
    scales: Object.fromEntries(scales.keys().map((name) => [name, scaleOf(scales.object(name))])),
  };
  if (Object.keys(base.scales).length === 0) file.fail('scales', 'names no scale');
  const kind = file.oneOf('kind', ['training', 'efficiency'] as const);
  const experiment: Experiment = kind === 'training' ? { ...base, kind, ...trainingOf(file) } : { ...base, kind, ...efficiencyOf(file) };
  file.refuseOthers();
  checkScales(file, experiment);
  const names = experiment.levels.map(({ level }) => level);
  if (new Set(names).size !== names.length) file.fail('levels', 'names a level twice');
  if (!names.includes(experiment.reference)) file.fail('reference', 'is not one of the levels');
  if (new Set(experiment.seeds).size !== experiment.seeds.length) file.fail('seeds', 'names a seed twice');
  return experiment;
}

function scaleOf(scale: Reader): LabScale {
  const read = {
    steps: scale.integer('steps', 1, 1_000_000),
    data: scale.number('data', 0.001, 1000, 1),
    questions: scale.number('questions', 0.001, 1000, 1),
    seeds: scale.integer('seeds', 1, MOST_ENTRIES),
    rounds: scale.integer('rounds', 1, 100, 1),
    shapes: scale.has('shapes') ? scale.oneOf('shapes', SHAPES) : 'models',
    tiles: scale.integers('tiles', 1, MOST_TILES),
  };
  scale.refuseOthers();
  return read;
}

function checkScales(file: Reader, experiment: Experiment): void {
  for (const [name, { shapes, tiles }] of Object.entries(experiment.scales)) {
    if (experiment.kind === 'training') {
      if (shapes !== 'models' || tiles) file.fail('scales', `has "shapes" or "tiles" at ${name}, which training has not`);
      continue;
    }
    if (shapes === 'real' && experiment.levels.some(({ shape }) => shape === null))
      file.fail('levels', `lacks a "shape" that scale ${name} asks for`);
    if (tiles?.some((count) => !experiment.tiles.includes(count))) file.fail('scales', `has tiles at ${name} that "tiles" does not name`);
  }
}

function trainingOf(file: Reader) {
  const text = file.optionalObject('text');
  return {
    run: file.object('run').all(),
    levels: file.objects('levels').map((level): LabLevel => {
      const train = level.optionalObject('train');
      const read = {
        level: level.text('level'),
        run: level.optionalObject('run')?.all() ?? {},
        train: train ? partOfSet(train) : {},
      };
      level.refuseOthers();
      return read;
    }),
    train: setOf(file.object('train')),
    text: text && setOf(text),
    evaluate: file.objects('evaluate').map(setOf),
    measure: file.objects('measure').map((metric): LabMetric => {
      const read = {
        metric: metric.text('metric'),
        tasks: metric.texts('tasks'),
        tiles: metric.integers('tiles', 1, 64),
        pictures: metric.optionalBoolean('pictures'),
      };
      metric.refuseOthers();
      return read;
    }),
  };
}

function efficiencyOf(file: Reader) {
  return {
    levels: file.objects('levels').map((level) => {
      const shape = level.isThere('shape') ? level.oneOf('shape', SYNTHETIC_MODELS) : null;
      const read = { level: level.text('level'), model: level.text('model'), shape };
      level.refuseOthers();
      return read;
    }),
    tiles: file.integers('tiles', 1, MOST_TILES) ?? file.fail('tiles', 'is missing'),
  };
}

function setOf(set: Reader): LabSet {
  const read = {
    source: set.oneOf('source', SOURCES),
    count: set.integer('count', 1, MOST_COUNT),
    tiles: set.integers('tiles', 1, 64),
    wrong: set.number('wrong', 0, 1, 0),
  };
  set.refuseOthers();
  return read;
}

function partOfSet(set: Reader): Partial<LabSet> {
  const read: Partial<LabSet> = {};
  if (set.has('source')) read.source = set.oneOf('source', SOURCES);
  if (set.has('count')) read.count = set.integer('count', 1, MOST_COUNT);
  if (set.has('tiles')) read.tiles = set.integers('tiles', 1, 64);
  if (set.has('wrong')) read.wrong = set.number('wrong', 0, 1, 0);
  set.refuseOthers();
  return read;
}

/** One object of the file; remembers which keys were asked for, so that a misspelt one is found. */
class Reader {
  private readonly values: Map<string, unknown>;
  private readonly known = new Set<string>();

  constructor(
    json: unknown,
    private readonly path: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new NvlmError('usage', `${path} is not a JSON object.`, 'See experiments/ for what such a file holds.');
    this.values = new Map(Object.entries(json));
  }

  has(key: string): boolean {
    return this.take(key) !== undefined;
  }

  /** And not null. */
  isThere(key: string): boolean {
    return (this.take(key) ?? null) !== null;
  }

  keys(): string[] {
    return [...this.values.keys()].slice(0, MOST_ENTRIES);
  }

  all(): Record<string, unknown> {
    return Object.fromEntries(this.values);
  }

  object(key: string): Reader {
    return new Reader(this.take(key), `${this.path}: ${key}`);
  }

  optionalObject(key: string): Reader | null {
    return this.isThere(key) ? this.object(key) : null;
  }

  objects(key: string): Reader[] {
    return this.list(key).map((entry, i) => new Reader(entry, `${this.path}: ${key}[${i}]`));
  }

  text(key: string): string {
    const value = this.take(key);
    const fits = typeof value === 'string' && value !== '' && value.length <= MOST_CHARACTERS;
    return fits ? value : this.fail(key, 'is not a text');
  }

  /** Stands in file names. */
  name(key: string): string {
    const value = this.text(key);
    return /^[a-z0-9][a-z0-9-]{0,63}$/.test(value) ? value : this.fail(key, 'is not a name of small letters, digits and dashes');
  }

  texts(key: string): string[] | null {
    if (!this.isThere(key)) return null;
    const list = this.list(key);
    const fits = list.every((entry) => typeof entry === 'string' && entry.length <= MOST_CHARACTERS);
    return fits ? (list as string[]) : this.fail(key, 'is not a list of texts');
  }

  integers(key: string, least: number, most: number): number[] | null {
    if (!this.isThere(key)) return null;
    const list = this.list(key);
    const fits = list.every((entry) => Number.isInteger(entry) && (entry as number) >= least && (entry as number) <= most);
    return fits ? (list as number[]) : this.fail(key, `is not a list of whole numbers from ${least} to ${most}`);
  }

  number(key: string, least: number, most: number, fallback?: number): number {
    const value = this.take(key) ?? fallback;
    const fits = typeof value === 'number' && value >= least && value <= most;
    return fits ? value : this.fail(key, `is not a number from ${least} to ${most}`);
  }

  integer(key: string, least: number, most: number, fallback?: number): number {
    const value = this.number(key, least, most, fallback);
    return Number.isInteger(value) ? value : this.fail(key, 'is not a whole number');
  }

  optionalBoolean(key: string): boolean | null {
    const value = this.take(key) ?? null;
    return value === null || typeof value === 'boolean' ? value : this.fail(key, 'is not true or false');
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.take(key);
    return allowed.find((option) => option === value) ?? this.fail(key, `is not one of ${allowed.join(', ')}`);
  }

  refuseOthers(): void {
    const unknown = [...this.values.keys()].find((key) => !this.known.has(key));
    if (unknown === undefined) return;
    const fix = `It may hold ${[...this.known].join(', ')}.`;
    throw new NvlmError('usage', `${this.path}: there is no key "${unknown.slice(0, 80)}".`, fix);
  }

  fail(key: string, what: string): never {
    throw new NvlmError('usage', `${this.path}: "${key}" ${what}.`, 'Correct the experiment file.');
  }

  private list(key: string): unknown[] {
    const value = this.take(key);
    const fits = Array.isArray(value) && value.length > 0 && value.length <= MOST_ENTRIES;
    return fits ? value : this.fail(key, `is not a list of 1 to ${MOST_ENTRIES} entries`);
  }

  private take(key: string): unknown {
    this.known.add(key);
    return this.values.get(key);
  }
}
