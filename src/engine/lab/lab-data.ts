import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { DeskPicture, DeskRecord } from '../../desk/data.ts';
import type { Folder } from '../../files/folder.ts';
import { encodePng } from '../../tiling/encode-png.ts';
import type { CallOptions } from '../api.ts';
import { datasetPlace } from '../runs/run-data.ts';
import type { LabSet } from './experiment.ts';

/** A set and the seed that it is drawn with. */
export type SeededSet = LabSet & { seed: number };

export interface LabRecords {
  records: DeskRecord[];
  pictures: DeskPicture[];
}

/** A third of the pictures has three tiles or more; looked through this often, any size turns up. */
const MOST_LOOKED_AT = 40;

/** The records of some sets, one after the other. Equal sets give equal records. */
export async function drawSets(sets: readonly SeededSet[]): Promise<LabRecords> {
  const all = await Promise.all(sets.map(drawSet));
  return { records: all.flatMap(({ records }) => records), pictures: all.flatMap(({ pictures }) => pictures) };
}

/** The glyphs are large, so the drawing code comes only now. */
async function drawSet(set: SeededSet): Promise<LabRecords> {
  const { source, count, seed } = set;
  if (source === 'ring' || source === 'due') {
    const { teachDataset } = await import('../../desk/teach.ts');
    const { records, pictures } = teachDataset(source, { count, seed, heldOut: 0, replay: 0 });
    return spoiled({ records, pictures }, set);
  }
  const { deskDataset } = await import('../../desk/data.ts');
  if (source === 'text') {
    // Three text questions for every two pictures, which are not drawn.
    const { records } = deskDataset({ count: Math.ceil(count / 1.5), seed });
    return spoiled({ records: records.filter(({ image }) => image === undefined).slice(0, count), pictures: [] }, set);
  }
  const { records, pictures } = deskDataset({ count: set.tiles ? Math.min(count * MOST_LOOKED_AT, 100_000) : count, seed });
  const fits = ({ scene: { grid } }: DeskPicture) => !set.tiles || set.tiles.includes(grid.cols * grid.rows);
  const chosen = pictures.filter(fits).slice(0, count);
  if (chosen.length < count)
    throw new NvlmError('usage', `There are no ${count} pictures of ${set.tiles?.join(', ')} tiles.`, 'Ask for fewer.');
  const paths = new Set(chosen.map(({ path }) => path));
  return spoiled({ records: records.filter(({ image }) => image !== undefined && paths.has(image)), pictures: chosen }, set);
}

/**
 * Replaces every so manieth answer by the next other answer of its task: the share of wrong ones is exact, and what is wrong is
 * as likely as what is right.
 */
function spoiled({ records, pictures }: LabRecords, { wrong }: SeededSet): LabRecords {
  if (wrong === 0) return { records, pictures };
  const answers = new Map<string, string[]>();
  for (const { task, conversations } of records) answers.set(task, [...(answers.get(task) ?? []), conversations[1].value]);
  const changed = records.map((record, i) => {
    if (Math.floor((i + 1) * wrong) === Math.floor(i * wrong)) return record;
    const [question, answer] = record.conversations;
    const others = [...new Set(answers.get(record.task))].filter((other) => other !== answer.value);
    if (others.length === 0) return record;
    const value = others[i % others.length]!;
    return { ...record, conversations: [question, { ...answer, value }] as DeskRecord['conversations'] };
  });
  return { records: changed, pictures };
}

/** Names a set by what it is made of, so that runs share what they have in common. */
export function datasetId(sets: readonly SeededSet[]): string {
  const names = sets.map(({ source, count, tiles, wrong, seed }) =>
    [source, count, ...(tiles ? [`t${tiles.join('')}`] : []), ...(wrong ? [`w${Math.round(1000 * wrong)}`] : []), `s${seed}`].join('-'),
  );
  return `lab-${names.join('-')}`;
}

/** Draws the sets into a dataset, unless it is there. @returns its id */
export async function writeDataset(
  files: Folder,
  sets: readonly SeededSet[],
  { signal, onProgress }: CallOptions & { onProgress?: (done: number, total: number) => void } = {},
): Promise<{ id: string; records: DeskRecord[] }> {
  const id = datasetId(sets);
  const place = datasetPlace(id);
  const { records, pictures } = await drawSets(sets);
  const named = uniqueRecords(records, sets.length > 1);
  // data.json last, so that a folder with it is complete.
  if ((await files.list(`${place}/data.json`)).length === 0) {
    for (const [i, picture] of pictures.entries()) {
      throwIfAborted(signal);
      onProgress?.(i, pictures.length);
      await files.write(`${place}/${picture.path}`, await encodePng(picture.draw()));
    }
    await files.write(`${place}/data.json`, new TextEncoder().encode(`${JSON.stringify(named, null, 1)}\n`));
  }
  return { id, records: named };
}

/** Sets of one experiment differ in their source, and with that in their ids; what does not is refused. */
function uniqueRecords(records: DeskRecord[], several: boolean): DeskRecord[] {
  const ids = new Set(records.map(({ id }) => id));
  if (!several || ids.size === records.length) return records;
  throw new NvlmError('usage', 'Two sets of one experiment draw the same records.', 'Give them different sources, or make one of them.');
}
