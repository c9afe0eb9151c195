import { stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { RunData } from '../engine/runs/run-pools.ts';
import type { TrainRequest } from '../engine/runs/train.ts';
import type { Context } from './command.ts';
import { asRunData, readLocalData, warnOfNotes, type DataOptions, type LocalData } from './data-reader.ts';

/**
 * All the data that a run file names, each read as {@link readLocalData} reads it.
 *
 * @param beside the path of what the run file names
 * @throws NvlmError `not-found`, `bad-data` when there is nothing to learn from in one of them
 */
export async function readRunData(
  run: TrainRequest['run'],
  beside: (path: string) => string,
  options: DataOptions,
  context: Context,
): Promise<RunData> {
  const sources: { folder: string; data: LocalData }[] = [];
  const home = await folderOf(beside(run.data));
  const read = async (given: string) => {
    const path = beside(given);
    const data = await readLocalData(path, options, context);
    warnOfNotes(data.report, context);
    // Stands before the paths of its pictures, and tells them from those of the others: no path in data begins with `./`.
    let folder = sources.length === 0 ? '' : `${relative(home, await folderOf(path)) || '.'}/`;
    while (sources.some((source) => source.folder === folder)) folder = `./${folder}`;
    sources.push({ folder, data });
    return { ...asRunData(data, path), folder };
  };
  const other = async (given: string | undefined | null) => (given ? read(given) : null);
  return {
    data: await read(run.data),
    textData: await other(run.text?.data),
    blend: await other(run.blend?.data),
    heldOut: await other(run.heldOut),
    readImage: (path) => {
      const { folder, data } = sources.findLast((source) => path.startsWith(source.folder))!;
      return data.readImage(path.slice(folder.length));
    },
  };
}

async function folderOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() ? path : dirname(path);
}
