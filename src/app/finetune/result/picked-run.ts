import type { ExportedFile } from '../../../engine/runs/training-api.ts';
import { NvlmError } from '../../../errors.ts';
import { unzipped } from '../../zip-files.ts';

/** A run's folder brings its data along. */
const MOST_FILES = 60_000;
const MOST_BYTES = 2 ** 31;

/**
 * The files of a run's folder, from the folder itself or from its ZIP, by their paths inside it.
 *
 * @throws NvlmError `bad-data`
 */
export async function readPickedRun(picked: File[]): Promise<ExportedFile[]> {
  const [first] = picked;
  if (picked.length === 1 && first && first.name.toLowerCase().endsWith('.zip'))
    return withoutCommonFolder(await unzipped(first, MOST_BYTES));
  const bytes = picked.reduce((sum, { size }) => sum + size, 0);
  if (picked.length > MOST_FILES || bytes > MOST_BYTES)
    throw new NvlmError('bad-data', 'This is more than a run’s folder holds.', 'Choose the folder that nvlm train wrote.');
  const files: ExportedFile[] = [];
  for (const file of picked) files.push({ path: file.webkitRelativePath || file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
  return withoutCommonFolder(files);
}

/** A folder that all files are in is how it was packed, not a part of the run. */
function withoutCommonFolder(files: ExportedFile[]): ExportedFile[] {
  const folder = files[0]?.path.split('/')[0];
  if (!folder || files.some(({ path }) => !path.startsWith(`${folder}/`))) return files;
  return files.map(({ path, bytes }) => ({ path: path.slice(folder.length + 1), bytes }));
}
