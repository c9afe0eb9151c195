import { NvlmError, throwIfAborted } from '../../errors.ts';
import { badFile, MOST_FILES, MOST_PROBLEMS, MOST_RECORDS, MOST_TEXT_BYTES, tooLarge } from '../limits.ts';
import { parseRows } from '../llava.ts';
import type {
  ColumnMapping,
  DatasetRecord,
  ImportProblem,
  ImportProgress,
  ImportReport,
  TableDescription,
} from '../types.ts';
import { guessMapping } from './columns.ts';
import { parseCsv } from './csv.ts';
import { openParquet } from './parquet.ts';
import { readRow, type ReadRow } from './rows.ts';
import { baseName, bytesFile, decodeText, extensionOf, type SourceFile } from './source-file.ts';
import { isClutter, leavesFolder, zippedFiles } from './zip.ts';

/** Where imported pictures go. */
export interface PictureSink {
  /**
   * Checks that a picture decodes and keeps it.
   *
   * @returns its path in the dataset
   * @throws NvlmError `bad-image`, `image-too-large`, `storage-full`, `bad-data` when the dataset is full
   */
  add(bytes: Uint8Array, name: string): Promise<string>;
}

export interface ImportOptions {
  /** Columns of tables; null = as their names say. */
  mapping: ColumnMapping | null;
  /** How many records still fit. */
  room: number;
  signal?: AbortSignal;
  onProgress?: (progress: ImportProgress) => void;
}

const PICTURES = new Set(['png', 'jpg', 'jpeg', 'jpe', 'jfif', 'webp']);
const OTHER_PICTURES = new Set(['gif', 'bmp', 'avif', 'heic', 'heif', 'tif', 'tiff', 'svg', 'jxl']);
const TABLES = new Set(['csv', 'tsv', 'parquet']);
const JSONS = new Set(['json', 'jsonl', 'ndjson']);
/** What a dataset's folder holds besides, ours too. */
const IGNORED = new Set(['md', 'txt', 'yaml', 'yml', 'gitattributes', 'license', '']);

interface Sorted {
  data: SourceFile[];
  pictures: SourceFile[];
}

/**
 * Takes whatever was given: pictures, LLaVA JSON or JSONL, CSV, parquet, and zips of them. With a data file, pictures are
 * those that its rows name; without one, every picture becomes a record that waits for its questions.
 *
 * @throws NvlmError `bad-data` when nothing of it can be used, `storage-full`, `cancelled`
 */
export async function importFiles(
  given: readonly SourceFile[],
  sink: PictureSink,
  options: ImportOptions,
): Promise<{ records: DatasetRecord[]; report: ImportReport }> {
  const problems = new Problems();
  const { data, pictures } = await sortFiles(given, problems, options.signal);
  const records =
    data.length > 0
      ? await readDataFiles(data, pictures, sink, problems, options)
      : await draftsOf(pictures, sink, problems, options);
  if (records.length === 0) {
    const first = problems.listed[0];
    throw new NvlmError(
      'bad-data',
      first
        ? `Nothing in it can be used. ${first.where}: ${first.reason}.`
        : 'There is neither a picture nor data in it.',
      'Give pictures, LLaVA JSON or JSONL, CSV, parquet, or a zip of them.',
    );
  }
  const images = new Set(records.flatMap(({ image }) => image ?? []));
  return {
    records,
    report: { records: records.length, pictures: images.size, problems: problems.listed, problemCount: problems.count },
  };
}

/** Tables among the files, whose columns a person may want to assign. */
export async function describeTables(given: readonly SourceFile[]): Promise<TableDescription[]> {
  const { data } = await sortFiles(given, new Problems());
  const tables: TableDescription[] = [];
  for (const file of data) {
    const extension = extensionOf(file.path);
    if (extension === 'parquet') {
      const { columns, rows } = await openParquet(file);
      tables.push({ path: file.path, columns, rows, mapping: guessMapping(columns) });
    } else if (TABLES.has(extension)) {
      const { value: header } = parseCsv(await readText(file)).next() as { value?: { cells: string[] } };
      const columns = header?.cells ?? [];
      tables.push({ path: file.path, columns, rows: null, mapping: guessMapping(columns) });
    }
  }
  return tables;
}

async function sortFiles(given: readonly SourceFile[], problems: Problems, signal?: AbortSignal): Promise<Sorted> {
  const sorted: Sorted = { data: [], pictures: [] };
  const sort = (file: SourceFile) => {
    const extension = extensionOf(file.path);
    if (isClutter(file.path)) return;
    if (PICTURES.has(extension)) sorted.pictures.push(file);
    else if (TABLES.has(extension) || (JSONS.has(extension) && baseName(file.path) !== 'dataset.json'))
      sorted.data.push(file);
    else if (OTHER_PICTURES.has(extension))
      problems.add(file.path, 'it is a picture of another kind: save it as PNG, JPEG or WebP');
    else if (!IGNORED.has(extension) && extension !== 'json')
      problems.add(file.path, 'it is no kind of file that is read here');
  };
  for (const file of given) {
    throwIfAborted(signal);
    if (extensionOf(file.path) !== 'zip') {
      sort(file);
      continue;
    }
    const zip = await zippedFiles(file);
    problems.addAll(zip.problems);
    for (const entry of zip.files) {
      // A table is read in pieces, and every piece of a zip's file costs unpacking all of it.
      if (extensionOf(entry.path) === 'parquet') sort(bytesFile(entry.path, await entry.slice(0, entry.size)));
      else sort(entry);
    }
  }
  const count = sorted.data.length + sorted.pictures.length;
  if (count > MOST_FILES) throw tooLarge(`These are ${count} files`, `${MOST_FILES} files`);
  return sorted;
}

async function draftsOf(
  pictures: SourceFile[],
  sink: PictureSink,
  problems: Problems,
  { room, signal, onProgress }: ImportOptions,
): Promise<DatasetRecord[]> {
  const records: DatasetRecord[] = [];
  for (const [i, file] of pictures.entries()) {
    throwIfAborted(signal);
    onProgress?.({ what: 'Checking pictures', done: i, total: pictures.length, unit: 'records' });
    if (records.length >= room) {
      problems.add(file.path, full(), pictures.length - i);
      break;
    }
    await problems.unless(file.path, async () => {
      const image = await sink.add(await file.slice(0, file.size), file.path);
      const id = baseName(file.path).replace(/\.[^.]*$/, '') || 'picture';
      records.push({ id, task: 'all', image, messages: [], heldOut: false });
    });
  }
  return records;
}

async function readDataFiles(
  data: SourceFile[],
  pictures: SourceFile[],
  sink: PictureSink,
  problems: Problems,
  { mapping, room, signal, onProgress }: ImportOptions,
): Promise<DatasetRecord[]> {
  const find = new PictureFinder(pictures, sink);
  const records: DatasetRecord[] = [];
  for (const file of data) {
    const rows = new RowCounter();
    await problems.unless(file.path, async () => {
      for await (const { name, total, read } of rowsOf(file, mapping, problems)) {
        throwIfAborted(signal);
        onProgress?.({ what: `Reading ${baseName(file.path)}`, done: rows.next(), total, unit: 'records' });
        const where = `${file.path}, ${name}`;
        if ('reason' in read) {
          problems.add(where, read.reason);
          continue;
        }
        if (records.length >= room) {
          problems.add(where, full());
          break;
        }
        await problems.unless(where, async () => {
          const image = read.picture && (await find.keep(read.picture, file.path, read.record.id));
          records.push({ ...read.record, image });
        });
      }
    });
  }
  if (find.unused > 0 && records.length > 0)
    problems.add('Pictures', `${find.unused} of the pictures that came along are named by no row, and were left out`);
  return records;
}

class RowCounter {
  private count = 0;
  next(): number {
    return this.count++;
  }
}

interface NamedRow {
  name: string;
  /** 0 = not known. */
  total: number;
  read: ReadRow | { reason: string };
}

async function* rowsOf(file: SourceFile, mapping: ColumnMapping | null, problems: Problems): AsyncGenerator<NamedRow> {
  const extension = extensionOf(file.path);
  if (extension === 'parquet') yield* parquetRows(file, mapping);
  else if (TABLES.has(extension)) yield* csvRows(file, mapping);
  else {
    const { rows, problems: broken } = parseRows(await readText(file));
    for (const { id, reason } of broken) problems.add(`${file.path}, ${id}`, reason);
    for (const { row, value } of rows) yield { name: row, total: rows.length, read: readRow(value, row) };
  }
}

async function* parquetRows(file: SourceFile, mapping: ColumnMapping | null): AsyncGenerator<NamedRow> {
  const { columns, rows, read } = await openParquet(file);
  const columnsOf = usable(mapping, columns, file.path);
  const { fixedQuestion: _, ...roles } = columnsOf;
  let row = 0;
  for await (const value of read(Object.values(roles).filter((column) => column !== null))) {
    row += 1;
    yield { name: `row ${row}`, total: rows, read: readRow(value, `row ${row}`, columnsOf) };
  }
}

async function* csvRows(file: SourceFile, mapping: ColumnMapping | null): AsyncGenerator<NamedRow> {
  const rows = parseCsv(await readText(file));
  const header = rows.next().value as { cells: string[] } | undefined;
  const columns = header?.cells ?? [];
  const columnsOf = usable(mapping, columns, file.path);
  for (const { line, cells } of rows) {
    const name = `line ${line}`;
    const read =
      cells.length === columns.length
        ? readRow(Object.fromEntries(columns.map((column, i) => [column, cells[i]])), name, columnsOf)
        : { reason: `it has ${cells.length} cells; the header has ${columns.length}` };
    yield { name, total: 0, read };
  }
}

function usable(mapping: ColumnMapping | null, columns: string[], path: string): ColumnMapping {
  const chosen = mapping ?? guessMapping(columns);
  if (chosen.answer !== null || chosen.conversations !== null) return chosen;
  throw badFile(path, `none of its columns holds answers (${columns.slice(0, 12).join(', ')}); say which does`);
}

async function readText(file: SourceFile): Promise<string> {
  if (file.size > MOST_TEXT_BYTES)
    throw tooLarge(
      `“${file.path}” has ${Math.round(file.size / 2 ** 20)} MiB`,
      `${MOST_TEXT_BYTES / 2 ** 20} MiB of text`,
    );
  return decodeText(await file.slice(0, file.size));
}

/** Finds the files that rows name, and keeps each once. */
class PictureFinder {
  /** By path and by every ending of it; null where two files have the same. */
  private readonly byEnding = new Map<string, SourceFile | null>();
  private readonly kept = new Map<SourceFile, Promise<string>>();

  constructor(
    private readonly files: readonly SourceFile[],
    private readonly sink: PictureSink,
  ) {
    for (const file of files) {
      const parts = file.path.split('/');
      for (let i = 0; i < parts.length; i++) {
        const ending = parts.slice(i).join('/').toLowerCase();
        this.byEnding.set(ending, i > 0 && this.byEnding.has(ending) ? null : file);
      }
    }
  }

  get unused(): number {
    return this.files.length - this.kept.size;
  }

  async keep(picture: NonNullable<ReadRow['picture']>, dataPath: string, id: string): Promise<string> {
    if ('bytes' in picture) return this.sink.add(picture.bytes, picture.path || id);
    const file = this.find(picture.path, dataPath);
    if (!file)
      throw new NvlmError('bad-data', `its picture “${picture.path}” did not come along`, 'Add it and import again.');
    let kept = this.kept.get(file);
    if (!kept) {
      kept = file.slice(0, file.size).then((bytes) => this.sink.add(bytes, file.path));
      this.kept.set(file, kept);
    }
    return kept;
  }

  /** Beside the data file, else anywhere that ends like it: folders are seldom packed as the paths in the data say. */
  private find(path: string, dataPath: string): SourceFile | null {
    if (leavesFolder(path) && !path.startsWith('/')) return null;
    const wanted = path.replaceAll('\\', '/').replace(/^(\.?\/)+/, '');
    const folder = dataPath.slice(0, dataPath.lastIndexOf('/') + 1);
    const beside = this.byEnding.get(`${folder}${wanted}`.toLowerCase());
    if (beside) return beside;
    const parts = wanted.split('/');
    for (let i = 0; i < parts.length; i++) {
      const found = this.byEnding.get(parts.slice(i).join('/').toLowerCase());
      if (found) return found;
    }
    return null;
  }
}

class Problems {
  readonly listed: ImportProblem[] = [];
  count = 0;

  add(where: string, reason: string, times = 1): void {
    this.count += times;
    if (this.listed.length < MOST_PROBLEMS) this.listed.push({ where, reason: reason.replace(/\.$/, '') });
  }

  addAll(problems: readonly ImportProblem[]): void {
    for (const { where, reason } of problems) this.add(where, reason);
  }

  /** What is wrong with one row or file alone is listed; all else ends the import. */
  async unless(where: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const own = error instanceof NvlmError && ['bad-image', 'image-too-large', 'bad-data'].includes(error.code);
      if (!own) throw error;
      this.add(where, error.message);
    }
  }
}

function full(): string {
  return `a dataset holds at most ${MOST_RECORDS} records`;
}
