import type { DataProblem } from '../../datasets/llava.ts';
import type { DatasetRecord } from '../../datasets/types.ts';
import { NvlmError } from '../../errors.ts';
import type { RunConfig } from '../../training/run-config.ts';
import { createHasher } from '../../weights/hasher.ts';
import type { CallOptions } from '../api.ts';
import { planExamples, type ReadImage, type TrainingExample } from './plan-examples.ts';
import type { TextSide } from '../chat/text-side.ts';

/** Records, and the rows of their source that are none. */
export interface ReadData {
  records: readonly DatasetRecord[];
  problems: readonly DataProblem[];
}

/** Records of another place than the run's own data; `folder` is put before their pictures' paths when these are read. */
export interface PlacedData extends ReadData {
  folder: string;
}

/** What a run learns from and is measured on. */
export interface RunData {
  data: ReadData;
  /** For the text-only blend; null = the records of `data` without a picture. */
  textData: ReadData | null;
  /** Records of the run's blend, null when it has none. */
  blend: PlacedData | null;
  /** Records to measure on; null = those of `data`, and of the text-only blend, that are held out. */
  heldOut: PlacedData | null;
  readImage: ReadImage;
}

/** A run's records as the model will see them. */
export interface Pools {
  examples: TrainingExample[];
  /** How many of them, from the first, are the main pool; the rest is the blend. */
  mainCount: number;
  measured: TrainingExample[];
  /** The held-out records whose questions are asked; none where the run asks none. */
  asked: DatasetRecord[];
  problems: DataProblem[];
}

export interface PoolOptions extends CallOptions {
  onPlanned?: (done: number, total: number) => void;
  onProblems?: (problems: readonly DataProblem[]) => void;
}

/**
 * Reads and plans all that a run learns from and is measured on.
 *
 * @throws NvlmError `bad-data` when there is nothing to learn from
 */
export async function readPools(request: RunData & { run: RunConfig; text: TextSide }, options: PoolOptions = {}): Promise<Pools> {
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
    throw new NvlmError('bad-data', `There is no ${what} to learn from.${why}`, 'Give LLaVA records: id, image, conversations.');
  }
  return {
    examples: [...first.examples, ...second.examples],
    mainCount: first.examples.length,
    measured: third.examples,
    asked: run.sampleEvery > 0 ? spread(heldOut, run.samples) : [],
    problems,
  };
}

/** Of all that a run learns from, in its order: any other word or picture gives another. */
export function fingerprintOf({ examples, mainCount }: Pick<Pools, 'examples' | 'mainCount'>): string {
  const hasher = createHasher();
  const lines = [mainCount, ...examples.map(({ digest }) => digest)];
  hasher.update(new TextEncoder().encode(lines.join('\n')));
  return hasher.digest();
}

interface Records {
  main: DatasetRecord[];
  blend: DatasetRecord[];
  heldOut: DatasetRecord[];
  problems: DataProblem[];
}

/** The run's main records, those that are blended in, and those that it must not learn from. */
function readRecords(request: RunData & { run: RunConfig }): Records {
  const { main, blend, problems } = readTrained(request);
  const isHeldOut = ({ heldOut }: DatasetRecord) => heldOut;
  // Not those of `blend`: what the model can do already would hide in the mean what it learns.
  const own = request.run.text ? [...main, ...blend] : main;
  const others = request.heldOut ? placed(request.heldOut) : { records: own.filter(isHeldOut), problems: [] };
  return {
    main: main.filter((record) => !isHeldOut(record)),
    blend: blend.filter((record) => !isHeldOut(record)),
    heldOut: others.records,
    problems: [...problems, ...others.problems],
  };
}

function readTrained({ run, data, textData, blend }: RunData & { run: RunConfig }): Omit<Records, 'heldOut'> {
  const [records, problems] = [[...data.records], [...data.problems]];
  if (run.blend) {
    if (!blend) throw new RangeError('The run blends data in that the request does not bring.');
    const other = placed(blend);
    return { main: records, blend: other.records, problems: [...problems, ...other.problems] };
  }
  if (!run.text) return { main: records, blend: [], problems };
  const texts = textData ?? { records, problems: [] };
  return {
    main: textData === null ? records.filter(({ image }) => image !== null) : records,
    blend: texts.records.filter(({ image }) => image === null),
    problems: [...problems, ...texts.problems],
  };
}

/** So many of them at equal distances, in their order: data often has one label after the other. */
function spread<T>(all: readonly T[], count: number): T[] {
  if (count >= all.length) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}

function placed({ records, problems, folder }: PlacedData): { records: DatasetRecord[]; problems: readonly DataProblem[] } {
  const moved = records.map((record) => {
    const { image } = record;
    return { ...record, image: image === null ? null : `${folder}${image}` };
  });
  return { records: moved, problems };
}
