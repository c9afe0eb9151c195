import { throwIfAborted } from '../../errors.ts';
import { type ImportLimits, tooLarge } from '../limits.ts';
import type { Notes, Problems } from './problems.ts';
import { baseName, bytesFile, extensionOf, folderOf, type SourceFile } from './source-file.ts';
import { isClutter, zippedFiles } from './zip.ts';

const PICTURES = new Set(['png', 'jpg', 'jpeg', 'jpe', 'jfif', 'webp']);
const OTHER_PICTURES = new Set(['gif', 'bmp', 'avif', 'heic', 'heif', 'tif', 'tiff', 'svg', 'jxl']);
const TABLES = new Set(['csv', 'tsv', 'parquet']);
const JSONS = new Set(['json', 'jsonl', 'ndjson']);
/** What a dataset's folder holds besides, ours too. */
const IGNORED = new Set(['md', 'txt', 'yaml', 'yml', 'gitattributes', 'license', '']);
/** What describes a dataset: ours, and of Hugging Face's `datasets`. */
const DESCRIPTIONS = new Set(['dataset.json', 'dataset_info.json', 'dataset_infos.json', 'dataset_dict.json', 'state.json']);
/** A parquet file is read in pieces, and every piece of an archive's member costs unpacking all of it: so it is held. */
const MOST_HELD_BYTES = 512 * 2 ** 20;

/** Names under which a dataset's folder keeps the one file that lists all. */
const WHOLE = new Set(['data.json', 'data.jsonl']);
/** Of a file or folder that is kept out of training. */
const HELD_OUT = /^(test|validation|valid|val|dev|eval|held[-_ ]?out)([-_. ]|$)/i;

export interface SortedFiles {
  data: SourceFile[];
  pictures: SourceFile[];
}

export function isTable(file: SourceFile): boolean {
  return TABLES.has(extensionOf(file.path));
}

export function isHeldOutName(name: string): boolean {
  return HELD_OUT.test(name);
}

/**
 * Tells data from pictures, archives unpacked. A folder's data.json or data.jsonl is all of its data: other data files beside
 * it are passed over.
 *
 * @throws NvlmError `bad-data` for too many files or an archive that cannot be read
 */
export async function sortFiles(
  given: readonly SourceFile[],
  limits: ImportLimits,
  { problems, notes, signal }: { problems: Problems; notes: Notes; signal?: AbortSignal },
): Promise<SortedFiles> {
  const sorted: SortedFiles = { data: [], pictures: [] };
  const sort = (file: SourceFile) => {
    const extension = extensionOf(file.path);
    if (isClutter(file.path)) return;
    if (PICTURES.has(extension)) sorted.pictures.push(file);
    else if (TABLES.has(extension) || (JSONS.has(extension) && !DESCRIPTIONS.has(baseName(file.path)))) sorted.data.push(file);
    else if (OTHER_PICTURES.has(extension)) problems.add(file.path, 'it is a picture of another kind: save it as PNG, JPEG or WebP');
    else if (!IGNORED.has(extension) && extension !== 'json') problems.add(file.path, 'it is no kind of file that is read here');
  };
  for (const file of given) {
    throwIfAborted(signal);
    if (extensionOf(file.path) !== 'zip') {
      sort(file);
      continue;
    }
    const zip = await zippedFiles(file, limits);
    problems.addAll(zip.problems);
    for (const entry of zip.files) {
      if (extensionOf(entry.path) !== 'parquet') sort(entry);
      else if (entry.size > MOST_HELD_BYTES) problems.add(entry.path, `it has more than ${MOST_HELD_BYTES / 2 ** 20} MiB: unpack it`);
      else await problems.unless(entry.path, async () => sort(bytesFile(entry.path, await entry.slice(0, entry.size))));
    }
  }
  const count = sorted.data.length + sorted.pictures.length;
  if (count > limits.files) throw tooLarge(`These are ${count} files`, `${limits.files} files`);
  const whole = new Set(sorted.data.filter(({ path }) => WHOLE.has(baseName(path))).map(({ path }) => folderOf(path)));
  sorted.data = sorted.data.filter(({ path }) => {
    const isPassedOver = whole.has(folderOf(path)) && !WHOLE.has(baseName(path));
    if (isPassedOver) notes.passOver(path, 'not read: the data file beside it is the data of its folder');
    return !isPassedOver;
  });
  return sorted;
}
