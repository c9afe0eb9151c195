import { NvlmError } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import type { RunConfig } from '../training/run-config.ts';
import type { TrainRequest } from './train.ts';

/** A dataset lies in `datasets/<id>`: its LLaVA records here, its pictures where these say. */
export const DATASETS = 'datasets';
export const RECORDS = 'data.json';

type RunData = Pick<TrainRequest, 'data' | 'textData' | 'blend' | 'heldOut' | 'readImage'>;

/**
 * The data that a run file names by ids.
 *
 * @throws NvlmError `not-found`
 */
export async function openRunData(files: Folder, run: RunConfig): Promise<RunData> {
  const records = (id: string) => readRecords(files, id);
  // A path from the root cannot stand in a record, so it tells the other datasets' pictures from the run's own.
  const other = async (id: string | null | undefined) =>
    id ? { data: await records(id), folder: `/${id}/` } : null;
  return {
    data: await records(run.data),
    textData: run.text?.data ? await records(run.text.data) : null,
    blend: await other(run.blend?.data),
    heldOut: await other(run.heldOut),
    readImage: async (path) => {
      const place = path.startsWith('/') ? `${DATASETS}${path}` : `${DATASETS}/${run.data}/${path}`;
      const bytes = await files.read(place);
      if (bytes) return bytes;
      throw new NvlmError('not-found', `Its picture ${path} is missing.`, 'Add the picture to the dataset again.');
    },
  };
}

async function readRecords(files: Folder, id: string): Promise<string> {
  const bytes = await files.read(`${DATASETS}/${id}/${RECORDS}`);
  if (bytes) return new TextDecoder().decode(bytes);
  throw new NvlmError(
    'not-found',
    'The dataset of this run is not in this browser.',
    'Import it again under Data, or start a run with another.',
  );
}
