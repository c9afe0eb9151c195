import { NvlmError, throwIfAborted } from '../../errors.ts';
import { NOTICE_BYTES, pictureNotice } from '../../tiling/picture-notice.ts';
import { PAGE_LIMITS, type ImportLimits } from '../limits.ts';
import {
  DEFAULT_QUESTION,
  LABEL_PLACE,
  type DatasetRecord,
  type ImportChoices,
  type ImportDescription,
  type ImportProgress,
  type ImportReport,
  type TableDescription,
} from '../types.ts';
import { folderLabels, type FolderLabel } from './folder-labels.ts';
import { PictureFinder, type OutsideFiles } from './picture-finder.ts';
import { Notes, Problems } from './problems.ts';
import type { ReadRow } from './read-row.ts';
import { isHeldOutName, isTable, sortFiles } from './sort-files.ts';
import { baseName, bytesFile, type SourceFile } from './source-file.ts';
import { describeTable, rowsOf } from './table-rows.ts';

/** Where imported pictures go. */
export interface PictureSink {
  /**
   * Keeps a picture, or what is needed to read it later.
   *
   * @returns its path in the dataset
   * @throws NvlmError `bad-image`, `image-too-large`, `storage-full`, `bad-data` when the dataset is full
   */
  add(picture: SourceFile): Promise<string>;
}

export interface ImportOptions extends ImportChoices {
  /** How many records still fit. */
  room: number;
  limits?: ImportLimits;
  /** Files that rows name and that did not come along; null = there are none. */
  outside?: OutsideFiles | null;
  signal?: AbortSignal;
  onProgress?: (progress: ImportProgress) => void;
}

interface Importing {
  sink: PictureSink;
  problems: Problems;
  notes: Notes;
  limits: ImportLimits;
  options: ImportOptions;
}

/** What came in, and what was left out and why. */
export interface Imported {
  records: DatasetRecord[];
  report: ImportReport;
}

/**
 * Takes whatever was given: pictures, LLaVA JSON or JSONL, CSV, parquet, and zips of them. With a data file, pictures are
 * those that its rows name; without one, every picture becomes a record whose answer is its folder's name, or one that waits for
 * its questions.
 *
 * @throws NvlmError `bad-data` when nothing of it can be used, `storage-full`, `cancelled`
 */
export async function importFiles(given: readonly SourceFile[], sink: PictureSink, options: ImportOptions): Promise<Imported> {
  const imported = await readFiles(given, sink, options);
  if (imported.records.length > 0) return imported;
  const first = imported.report.problems[0];
  throw new NvlmError(
    'bad-data',
    first ? `Nothing in it can be used. ${first.where}: ${first.reason}.` : 'There is neither a picture nor data in it.',
    'Give pictures, LLaVA JSON or JSONL, CSV, parquet, or a zip of them.',
  );
}

/** As {@link importFiles}, but that nothing to use is a report with no records. */
export async function readFiles(given: readonly SourceFile[], sink: PictureSink, options: ImportOptions): Promise<Imported> {
  const limits = options.limits ?? PAGE_LIMITS;
  const importing = { sink, problems: new Problems(limits.problems), notes: new Notes(), limits, options };
  const { problems, notes } = importing;
  const { data, pictures } = await sortFiles(given, limits, { problems, notes, signal: options.signal });
  const records = data.length > 0 ? await readDataFiles(data, pictures, importing) : await readPictures(pictures, importing);
  const images = new Set(records.flatMap(({ image }) => image ?? []));
  const report = { problems: problems.listed, problemCount: problems.count, notes: notes.list() };
  return { records, report: { records: records.length, pictures: images.size, ...report } };
}

/** Tables among the files, whose columns a person may want to assign, and labels that folders give to pictures. */
export async function describeFiles(given: readonly SourceFile[]): Promise<ImportDescription> {
  const { data, pictures } = await sortFiles(given, PAGE_LIMITS, { problems: new Problems(0), notes: new Notes() });
  const tables: TableDescription[] = [];
  for (const file of data) if (isTable(file)) tables.push(await describeTable(file, PAGE_LIMITS));
  const counts = new Map<string, number>();
  if (data.length === 0) for (const { label } of folderLabels(pictures).values()) counts.set(label, (counts.get(label) ?? 0) + 1);
  return { tables, labels: [...counts].map(([label, count]) => ({ label, pictures: count })), question: DEFAULT_QUESTION };
}

async function readPictures(pictures: SourceFile[], importing: Importing): Promise<DatasetRecord[]> {
  const { problems, options } = importing;
  const { room, question = DEFAULT_QUESTION, answer = LABEL_PLACE, signal, onProgress } = options;
  const labels = options.folderLabels === false ? new Map<SourceFile, FolderLabel>() : folderLabels(pictures);
  if (labels.size > 0 && !answer.includes(LABEL_PLACE))
    throw new NvlmError(
      'usage',
      `The answer “${answer.slice(0, 80)}” would be the same for every label.`,
      `Put ${LABEL_PLACE} where the label stands, e.g. “This is a ${LABEL_PLACE}.”`,
    );
  const records: DatasetRecord[] = [];
  for (const [i, file] of pictures.entries()) {
    throwIfAborted(signal);
    onProgress?.({ what: 'Checking pictures', done: i, total: pictures.length, unit: 'records' });
    if (records.length >= room) {
      problems.add(file.path, full(room), pictures.length - i);
      break;
    }
    await problems.unless(file.path, async () => {
      const image = await addPicture(file, importing);
      const id = baseName(file.path).replace(/\.[^.]*$/, '') || 'picture';
      const { label, heldOut } = labels.get(file) ?? { label: null, heldOut: false };
      const messages: DatasetRecord['messages'] =
        label === null
          ? []
          : [
              { role: 'user', content: `<image>\n${question}` },
              { role: 'assistant', content: answer.replaceAll(LABEL_PLACE, () => label) },
            ];
      records.push({ id, task: 'all', image, messages, heldOut });
    });
  }
  return records;
}

async function readDataFiles(data: SourceFile[], pictures: SourceFile[], importing: Importing): Promise<DatasetRecord[]> {
  const { problems, notes, limits, options } = importing;
  const { mapping = null, room, question, outside, signal, onProgress } = options;
  const keeper = new PictureKeeper(new PictureFinder(pictures, outside), importing);
  const records: DatasetRecord[] = [];
  // Of several files, as datasets are published, those named so are kept out of training.
  const isHeldOutFile = (file: SourceFile) =>
    isHeldOutName(baseName(file.path)) && !data.every(({ path }) => isHeldOutName(baseName(path)));
  for (const file of data) {
    const isHeldOut = isHeldOutFile(file);
    let count = 0;
    await problems.unless(file.path, async () => {
      for await (const { name, total, read } of rowsOf(file, { mapping, fixedQuestion: question, limits, problems, notes })) {
        throwIfAborted(signal);
        onProgress?.({ what: `Reading ${baseName(file.path)}`, done: count++, total, unit: 'records' });
        const where = `${file.path}, ${name}`;
        if ('reason' in read) {
          problems.add(where, read.reason);
          continue;
        }
        if (records.length >= room) {
          problems.add(where, `${full(room)}: this row and all behind it were left out`);
          break;
        }
        await problems.unless(where, async () => {
          const image = read.picture && (await keeper.keep(read.picture, file.path, where));
          records.push({ ...read.record, image, heldOut: read.record.heldOut || isHeldOut });
          notes.unread(file.path, read.unread);
        });
      }
    });
  }
  const unused = pictures.length - keeper.used;
  if (unused > 0 && records.length > 0)
    notes.passOver('Pictures', `${unused} of the pictures that came along are named by no row that came in`);
  return records;
}

async function addPicture(file: SourceFile, { sink, notes }: Pick<Importing, 'sink' | 'notes'>): Promise<string> {
  const image = await sink.add(file);
  const notice = pictureNotice(await file.slice(0, NOTICE_BYTES));
  if (notice) notes.picture(file.path, notice);
  return image;
}

/** Keeps every picture once, however many rows name it. */
class PictureKeeper {
  private readonly kept = new Map<SourceFile, Promise<string>>();
  private rowBytes = 0;

  constructor(
    private readonly finder: PictureFinder,
    private readonly importing: Importing,
  ) {}

  /** How many files are kept. */
  get used(): number {
    return this.kept.size;
  }

  async keep(picture: NonNullable<ReadRow['picture']>, dataPath: string, where: string): Promise<string> {
    const { limits } = this.importing;
    if ('bytes' in picture) {
      this.rowBytes += picture.bytes.length;
      if (this.rowBytes > limits.bytes)
        throw new NvlmError('bad-data', `pictures that stand in rows have more than ${limits.bytes / 2 ** 30} GiB`, 'Give them as files.');
      return addPicture(bytesFile(picture.path || where, picture.bytes), this.importing);
    }
    const file = await this.finder.find(picture.path, dataPath);
    let kept = this.kept.get(file);
    if (!kept) {
      kept = addPicture(file, this.importing);
      this.kept.set(file, kept);
    }
    return kept;
  }
}

function full(room: number): string {
  return `no more than ${room.toLocaleString('en')} records fit here`;
}
