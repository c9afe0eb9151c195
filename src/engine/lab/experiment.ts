/**
 * An experiment: runs that differ in one factor, some seeds each, and what is measured on them. Its file is JSON that anybody
 * may write, so everything in it is checked.
 */
import { SYNTHETIC_MODELS } from '../../nvlm/synthetic-checkpoint.ts';
import { FileKeys, type FileKind } from '../../training/file-keys.ts';

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
  /** Efficiency of real shapes: at most so many layers in decoder and vision encoder; null = all. */
  layers: number | null;
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

const MOST_ENTRIES = 64;
const EXPERIMENT_FILE: FileKind = {
  name: 'experiment file',
  see: 'See experiments/ for what such a file holds.',
  mostCharacters: 2000,
  mostEntries: MOST_ENTRIES,
};
const MOST_COUNT = 100_000;
const MOST_TILES = 12;
const MOST_LAYERS = 100;
const SHAPES = ['models', 'real'] as const;
const SOURCES: readonly LabSource[] = ['desk', 'text', 'ring', 'due'];

/** @throws NvlmError `usage` that names the key and what it may be */
export function parseExperiment(json: unknown, path: string): Experiment {
  const file = new FileKeys(json, path, EXPERIMENT_FILE);
  const scales = file.requiredObject('scales');
  const base = {
    name: file.name('name'),
    question: file.text('question'),
    paper: file.text('paper'),
    factor: file.text('factor'),
    reference: file.text('reference'),
    seeds: file.integers('seeds', 0, 2 ** 31) ?? file.fail('seeds', 'is missing'),
    scales: Object.fromEntries(scales.keys().map((name) => [name, scaleOf(scales.requiredObject(name))])),
  };
  if (Object.keys(base.scales).length === 0) file.fail('scales', 'names no scale');
  const kind = file.oneOf('kind', ['training', 'efficiency'] as const, null);
  const experiment: Experiment = kind === 'training' ? { ...base, kind, ...trainingOf(file) } : { ...base, kind, ...efficiencyOf(file) };
  file.refuseOthers();
  checkScales(file, experiment);
  const names = experiment.levels.map(({ level }) => level);
  if (new Set(names).size !== names.length) file.fail('levels', 'names a level twice');
  if (!names.includes(experiment.reference)) file.fail('reference', 'is not one of the levels');
  if (new Set(experiment.seeds).size !== experiment.seeds.length) file.fail('seeds', 'names a seed twice');
  return experiment;
}

function scaleOf(scale: FileKeys): LabScale {
  const read = {
    steps: scale.integer('steps', null, 1, 1_000_000),
    data: scale.number('data', 1, 0.001, 1000),
    questions: scale.number('questions', 1, 0.001, 1000),
    seeds: scale.integer('seeds', null, 1, MOST_ENTRIES),
    rounds: scale.integer('rounds', 1, 1, 100),
    shapes: scale.oneOf('shapes', SHAPES, 'models'),
    layers: scale.optionalInteger('layers', 1, MOST_LAYERS),
    tiles: scale.integers('tiles', 1, MOST_TILES),
  };
  scale.refuseOthers();
  return read;
}

function checkScales(file: FileKeys, experiment: Experiment): void {
  for (const [name, { shapes, layers, tiles }] of Object.entries(experiment.scales)) {
    if (layers !== null && shapes !== 'real') file.fail('scales', `has "layers" at ${name}, which "shapes": "real" alone has`);
    if (experiment.kind === 'training') {
      if (shapes !== 'models' || tiles) file.fail('scales', `has "shapes" or "tiles" at ${name}, which training has not`);
      continue;
    }
    if (shapes === 'real' && experiment.levels.some(({ shape }) => shape === null))
      file.fail('levels', `lacks a "shape" that scale ${name} asks for`);
    if (tiles?.some((count) => !experiment.tiles.includes(count))) file.fail('scales', `has tiles at ${name} that "tiles" does not name`);
  }
}

function trainingOf(file: FileKeys) {
  const text = file.object('text');
  return {
    run: file.requiredObject('run').all(),
    levels: file.objects('levels').map((level): LabLevel => {
      const train = level.object('train');
      const read = {
        level: level.text('level'),
        run: level.object('run').all(),
        train: partOfSet(train),
      };
      level.refuseOthers();
      return read;
    }),
    train: setOf(file.requiredObject('train')),
    text: text.given ? setOf(text) : null,
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

function efficiencyOf(file: FileKeys) {
  return {
    levels: file.objects('levels').map((level) => {
      const shape = level.optionalOneOf('shape', SYNTHETIC_MODELS);
      const read = { level: level.text('level'), model: level.text('model'), shape };
      level.refuseOthers();
      return read;
    }),
    tiles: file.integers('tiles', 1, MOST_TILES) ?? file.fail('tiles', 'is missing'),
  };
}

function setOf(set: FileKeys): LabSet {
  const read = {
    source: set.oneOf('source', SOURCES, null),
    count: set.integer('count', null, 1, MOST_COUNT),
    tiles: set.integers('tiles', 1, 64),
    wrong: set.number('wrong', 0, 0, 1),
  };
  set.refuseOthers();
  return read;
}

function partOfSet(set: FileKeys): Partial<LabSet> {
  const read: Partial<LabSet> = {};
  if (set.has('source')) read.source = set.oneOf('source', SOURCES, null);
  if (set.has('count')) read.count = set.integer('count', null, 1, MOST_COUNT);
  if (set.has('tiles')) read.tiles = set.integers('tiles', 1, 64);
  if (set.has('wrong')) read.wrong = set.number('wrong', 0, 0, 1);
  set.refuseOthers();
  return read;
}
