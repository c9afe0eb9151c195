import { datasetPlace } from '../../datasets/dataset-place.ts';
import { parseRecords } from '../../datasets/llava.ts';
import { NvlmError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import type { RunConfig } from '../../training/run-config.ts';
import type { ReadData, RunData } from './run-pools.ts';

/** A dataset's LLaVA records; its pictures lie where these say. */
const RECORDS = 'data.json';

export { datasetPlace };

/**
 * The data that a run file names by ids.
 *
 * @throws NvlmError `not-found`
 */
export async function openRunData(files: Folder, run: RunConfig): Promise<RunData> {
  const records = (id: string) => readRecords(files, id);
  // A path from the root cannot stand in a record, so it tells the other datasets' pictures from the run's own.
  const other = async (id: string | null | undefined) => (id ? { ...(await records(id)), folder: `/${datasetPlace(id)}/` } : null);
  return {
    data: await records(run.data),
    textData: run.text?.data ? await records(run.text.data) : null,
    blend: await other(run.blend?.data),
    heldOut: await other(run.heldOut),
    readImage: async (path) => {
      const bytes = await files.read(path.startsWith('/') ? path.slice(1) : `${datasetPlace(run.data)}/${path}`);
      if (bytes) return bytes;
      throw new NvlmError('not-found', `Its picture ${path} is missing.`, 'Add the picture to the dataset again.');
    },
  };
}

async function readRecords(files: Folder, id: string): Promise<ReadData> {
  // Of a run that came from elsewhere, it may be any path.
  const bytes = await files.read(`${datasetPlace(id)}/${RECORDS}`).catch(() => null);
  if (bytes) return parseRecords(new TextDecoder().decode(bytes));
  throw new NvlmError(
    'not-found',
    'The dataset of this run is not in this browser.',
    'Import it again under Data, or start a run with another.',
  );
}
