import { encodePng } from '../tiling/encode-png.ts';
import { decodeImage } from '../tiling/decode.ts';
import { sniffFormat } from '../tiling/sniff.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import { importFiles } from './import/import-files.ts';
import type { SourceFile } from './import/source-file.ts';
import { writeZip } from './import/zip.ts';
import { MOST_BYTES, MOST_RECORDS, tooLarge } from './limits.ts';
import { formatRecords, parseRecords } from './llava.ts';
import { PictureNames } from './picture-names.ts';
import { splitRecords } from './split.ts';
import type {
  ColumnMapping,
  DatasetRecord,
  DatasetSummary,
  GenerateRequest,
  ImportProgress,
  ImportReport,
  RecordPage,
  RecordQuery,
  RemovedRecord,
} from './types.ts';

const ROOT = 'datasets';
const INDEX = `${ROOT}/index.json`;
/** A deleted dataset lies this long, so that deleting can be undone. */
const KEPT_DELETED_MS = 60_000;

interface IndexEntry extends DatasetSummary {
  pictureBytes: number;
  deletedAt?: number;
}

/** A dataset as it is held between calls; `changedAt` tells whether another tab has changed it since. */
interface Open {
  changedAt: number;
  records: DatasetRecord[];
}

/** Runs work alone among all that name the same thing, over all tabs. */
export type Exclusive = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export interface WorkOptions {
  signal?: AbortSignal;
  onProgress?: (progress: ImportProgress) => void;
}

/** What one picture or record may be changed in. */
export type RecordPatch = Partial<Pick<DatasetRecord, 'task' | 'messages' | 'heldOut'>>;

/**
 * Datasets in a folder: `datasets/<id>/data.json` (LLaVA) and `datasets/<id>/pictures/`, so that each is a folder that
 * `nvlm train` reads as it is. Every change is on the disk when its call returns.
 */
export class DatasetLibrary {
  private readonly open = new Map<string, Open>();
  /** Datasets whose unused pictures this visit has cleared away already. */
  private readonly swept = new Set<string>();

  constructor(
    private readonly folder: Folder,
    private readonly exclusive: Exclusive,
    private readonly now: () => number = Date.now,
  ) {}

  /** Latest change first. */
  async list(): Promise<DatasetSummary[]> {
    const entries = await this.exclusive('index', async () => {
      const all = await this.readIndex();
      const gone = all.filter(({ deletedAt }) => deletedAt !== undefined && this.now() - deletedAt > KEPT_DELETED_MS);
      for (const { id } of gone) await this.folder.remove(`${ROOT}/${id}`);
      const left = all.filter((entry) => !gone.includes(entry));
      if (gone.length > 0) await this.writeIndex(left);
      return left;
    });
    return entries
      .filter(({ deletedAt }) => deletedAt === undefined)
      .map(summaryOf)
      .sort((a, b) => b.changedAt - a.changedAt);
  }

  async create(title: string): Promise<DatasetSummary> {
    const id = `${this.now().toString(36)}-${Math.floor(Math.random() * 36 ** 4).toString(36)}`;
    await this.folder.write(`${ROOT}/${id}/data.json`, encode(formatRecords([])));
    const entry = {
      id,
      title: cleanTitle(title),
      records: 0,
      heldOut: 0,
      drafts: 0,
      pictures: 0,
      bytes: 0,
      pictureBytes: 0,
    };
    return this.changeIndex((entries) => {
      const made = { ...entry, changedAt: this.now() };
      entries.push(made);
      return made;
    });
  }

  rename(id: string, title: string): Promise<DatasetSummary> {
    return this.changeEntry(id, (entry) => void (entry.title = cleanTitle(title)));
  }

  /** Can be undone for a while, see {@link restore}. */
  async remove(id: string): Promise<void> {
    await this.changeEntry(id, (entry) => void (entry.deletedAt = this.now()));
  }

  restore(id: string): Promise<DatasetSummary> {
    return this.changeEntry(id, (entry) => void delete entry.deletedAt);
  }

  async query(id: string, { filter, search, task, offset, limit }: RecordQuery): Promise<RecordPage> {
    return this.exclusive(id, async () => {
      const entry = await this.entry(id);
      const { records } = await this.load(entry);
      const words = search.trim().toLowerCase();
      const found = records.filter(
        (record) =>
          passes(record, filter) && (task === null || record.task === task) && (words === '' || says(record, words)),
      );
      const page = found.slice(offset, offset + limit);
      return { summary: summaryOf(entry), records: page, matches: found.length, tasks: tasksOf(records) };
    });
  }

  /** @throws NvlmError `not-found` */
  async record(id: string, recordId: string): Promise<DatasetRecord> {
    return this.exclusive(id, async () => {
      const { records } = await this.load(await this.entry(id));
      return records[indexOf(records, recordId)]!;
    });
  }

  update(id: string, recordId: string, patch: RecordPatch): Promise<DatasetSummary> {
    return this.edit(id, (records) => {
      const index = indexOf(records, recordId);
      records[index] = { ...records[index]!, ...patch };
    });
  }

  /** A further record, behind `after` or last; with that record's picture, or text only. @returns its id */
  async add(id: string, after: string | null, withPicture: boolean): Promise<string> {
    let added = '';
    await this.edit(id, (records) => {
      checkRoom(records, 1);
      const index = after === null ? records.length - 1 : indexOf(records, after);
      const { image = null, task = 'all', heldOut = false } = (after !== null && records[index]) || {};
      added = new RecordIds(records).next(after ?? 'text');
      const record = { id: added, task, heldOut, image: withPicture ? image : null, messages: [] };
      records.splice(index + 1, 0, record);
    });
    return added;
  }

  async duplicate(id: string, recordId: string): Promise<string> {
    let added = '';
    await this.edit(id, (records) => {
      checkRoom(records, 1);
      const index = indexOf(records, recordId);
      added = new RecordIds(records).next(recordId);
      records.splice(index + 1, 0, { ...structuredClone(records[index]!), id: added });
    });
    return added;
  }

  /** Their pictures stay until the dataset is opened anew, so that {@link putBack} finds them. */
  async removeRecords(id: string, recordIds: readonly string[]): Promise<RemovedRecord[]> {
    const removed: RemovedRecord[] = [];
    await this.edit(id, (records) => {
      const gone = new Set(recordIds);
      records.forEach((record, index) => {
        if (gone.has(record.id)) removed.push({ index, record });
      });
      replace(
        records,
        records.filter((record) => !gone.has(record.id)),
      );
    });
    return removed;
  }

  putBack(id: string, removed: readonly RemovedRecord[]): Promise<DatasetSummary> {
    return this.edit(id, (records) => {
      for (const { index, record } of removed) records.splice(index, 0, record);
    });
  }

  /** Of every task about this share is held out, all records of a picture together. */
  split(id: string, ratio: number, seed: number): Promise<DatasetSummary> {
    return this.edit(id, (records) => {
      const heldOut = splitRecords(records, ratio, seed);
      heldOut.forEach((held, i) => void (records[i] = { ...records[i]!, heldOut: held }));
    });
  }

  /** @throws NvlmError as `importFiles`; then nothing was added */
  async import(
    id: string,
    files: readonly SourceFile[],
    mapping: ColumnMapping | null,
    options: WorkOptions = {},
  ): Promise<ImportReport> {
    return this.adding(id, async (sink, room) => {
      const { records, report } = await importFiles(files, sink, { mapping, room, ...options });
      return { records, result: report };
    });
  }

  /** Pictures of the world that the nano models know, or of a new thing in it, with questions and answers. */
  async generate(
    id: string,
    request: GenerateRequest,
    { signal, onProgress }: WorkOptions = {},
  ): Promise<ImportReport> {
    const { records: chosen, pictures: drawn } = await plannedPictures(request);
    return this.adding(id, async (sink) => {
      const paths = new Map<string, string>();
      for (const [i, picture] of drawn.entries()) {
        throwIfAborted(signal);
        onProgress?.({ what: 'Drawing pictures', done: i, total: drawn.length, unit: 'records' });
        paths.set(picture.path, await sink.add(await encodePng(picture.draw()), picture.path));
      }
      const made = chosen.map(({ id: name, task, image, conversations, heldOut }) => ({
        id: name,
        task,
        image: image === undefined ? null : paths.get(image)!,
        messages: conversations.map(({ from, value }) => ({
          role: from === 'human' ? ('user' as const) : ('assistant' as const),
          content: value,
        })),
        heldOut,
      }));
      return { records: made, result: { records: made.length, pictures: paths.size, problems: [], problemCount: 0 } };
    });
  }

  /** @throws NvlmError `not-found` */
  async picture(id: string, path: string): Promise<Uint8Array> {
    const bytes = /^pictures\/[^/]+$/.test(path) ? await this.folder.read(`${ROOT}/${id}/${path}`) : null;
    if (bytes) return bytes;
    throw new NvlmError('not-found', `The picture “${path}” is not in the dataset.`, 'Import it again.');
  }

  /** The dataset's folder as a zip, part by part: what `import` and `nvlm train` take. */
  async export(id: string): Promise<AsyncIterable<Uint8Array>> {
    const records = await this.exclusive(id, async () => (await this.load(await this.entry(id))).records.slice());
    const picture = (path: string) => this.picture(id, path);
    async function* files() {
      for (const path of new Set(records.flatMap(({ image }) => image ?? [])))
        yield { path, bytes: await picture(path) };
      // Last, as everywhere: who finds it finds all.
      yield { path: 'data.json', bytes: encode(formatRecords(records)) };
    }
    return writeZip(files());
  }

  /** Adds what `work` makes, or nothing of it. */
  private async adding<T>(
    id: string,
    work: (
      sink: { add(bytes: Uint8Array, name: string): Promise<string> },
      room: number,
    ) => Promise<{ records: DatasetRecord[]; result: T }>,
  ): Promise<T> {
    return this.exclusive(id, async () => {
      const entry = await this.entry(id);
      const open = await this.load(entry);
      const place = `${ROOT}/${id}`;
      const present = await this.folder.list(`${place}/pictures`);
      const names = new PictureNames(present.map(({ path }) => path.slice(path.lastIndexOf('pictures/'))));
      const written: string[] = [];
      let bytes = entry.pictureBytes;
      const add = async (picture: Uint8Array, name: string) => {
        if (bytes + picture.length > MOST_BYTES)
          throw tooLarge('There are too many bytes of pictures', `${MOST_BYTES / 2 ** 30} GiB`);
        await decodeImage(picture);
        const path = names.next(name, sniffFormat(picture));
        await this.folder.write(`${place}/${path}`, picture);
        written.push(path);
        bytes += picture.length;
        return path;
      };
      try {
        const { records, result } = await work({ add }, MOST_RECORDS - open.records.length);
        checkRoom(open.records, records.length);
        const ids = new RecordIds(open.records);
        for (const record of records) open.records.push({ ...record, id: ids.next(record.id) });
        entry.pictureBytes = bytes;
        await this.save(entry, open);
        return result;
      } catch (error) {
        this.open.delete(id);
        for (const path of written) await this.folder.remove(`${place}/${path}`);
        throw error;
      }
    });
  }

  private async edit(id: string, change: (records: DatasetRecord[]) => void): Promise<DatasetSummary> {
    return this.exclusive(id, async () => {
      const entry = await this.entry(id);
      const open = await this.load(entry);
      try {
        change(open.records);
        return await this.save(entry, open);
      } catch (error) {
        // What is held may be ahead of the disk now.
        this.open.delete(id);
        throw error;
      }
    });
  }

  private async load(entry: IndexEntry): Promise<Open> {
    const known = this.open.get(entry.id);
    if (known?.changedAt === entry.changedAt) return known;
    const bytes = await this.folder.read(`${ROOT}/${entry.id}/data.json`);
    if (!bytes) throw noDataset();
    const { records } = parseRecords(new TextDecoder().decode(bytes), { drafts: true });
    const opened = { changedAt: entry.changedAt, records };
    this.open.set(entry.id, opened);
    if (!this.swept.has(entry.id)) await this.sweep(entry, records);
    this.swept.add(entry.id);
    return opened;
  }

  /** Pictures of records that were removed in an earlier visit, and of an import that was cut off. */
  private async sweep(entry: IndexEntry, records: readonly DatasetRecord[]): Promise<void> {
    const used = new Set(records.flatMap(({ image }) => image ?? []));
    const place = `${ROOT}/${entry.id}`;
    let bytes = 0;
    for (const file of await this.folder.list(`${place}/pictures`)) {
      const path = file.path.slice(file.path.lastIndexOf('pictures/'));
      if (used.has(path)) bytes += file.bytes;
      else await this.folder.remove(`${place}/${path}`);
    }
    entry.pictureBytes = bytes;
  }

  private async save(entry: IndexEntry, open: Open): Promise<DatasetSummary> {
    const { records } = open;
    const data = encode(formatRecords(records));
    await this.folder.write(`${ROOT}/${entry.id}/data.json`, data);
    return this.changeEntry(entry.id, (stored) => {
      stored.records = records.length;
      stored.heldOut = records.filter(({ heldOut }) => heldOut).length;
      stored.drafts = records.filter(isDraft).length;
      stored.pictures = new Set(records.flatMap(({ image }) => image ?? [])).size;
      stored.pictureBytes = entry.pictureBytes;
      stored.bytes = entry.pictureBytes + data.length;
      stored.changedAt = open.changedAt = Math.max(this.now(), stored.changedAt + 1);
    });
  }

  private async entry(id: string): Promise<IndexEntry> {
    const entry = (await this.readIndex()).find((one) => one.id === id);
    if (entry && entry.deletedAt === undefined) return entry;
    throw noDataset();
  }

  private changeEntry(id: string, change: (entry: IndexEntry) => void): Promise<DatasetSummary> {
    return this.changeIndex((entries) => {
      const entry = entries.find((one) => one.id === id);
      if (!entry) throw noDataset();
      change(entry);
      return entry;
    });
  }

  private changeIndex(change: (entries: IndexEntry[]) => IndexEntry): Promise<DatasetSummary> {
    return this.exclusive('index', async () => {
      const entries = await this.readIndex();
      const changed = change(entries);
      await this.writeIndex(entries);
      return summaryOf(changed);
    });
  }

  private async readIndex(): Promise<IndexEntry[]> {
    const bytes = await this.folder.read(INDEX);
    return bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as IndexEntry[]) : [];
  }

  private writeIndex(entries: IndexEntry[]): Promise<void> {
    return this.folder.write(INDEX, encode(JSON.stringify(entries)));
  }
}

/** As many as tell the accuracy on a lesson to a few percent. */
const MOST_HELD_OUT = 40;

/** What is to be drawn. The glyphs are large, so the drawing code comes only now. */
async function plannedPictures({ pictures: count, seed, kinds, lesson }: GenerateRequest) {
  if (lesson) {
    const { teachDataset } = await import('../desk/teach.ts');
    const set = teachDataset(lesson, { count, seed, heldOut: Math.min(count, MOST_HELD_OUT), replay: 0 });
    const marked = (records: typeof set.records, heldOut: boolean) => records.map((record) => ({ ...record, heldOut }));
    return { records: [...marked(set.records, false), ...marked(set.heldOut, true)], pictures: set.pictures };
  }
  const { deskDataset } = await import('../desk/data.ts');
  const { records, pictures } = deskDataset({ count, seed });
  const kindOf = (task: string) => task.slice(0, task.includes(':') ? task.indexOf(':') : undefined);
  const chosen = records.filter(({ task }) => kinds.length === 0 || kinds.includes(kindOf(task)));
  const used = new Set(chosen.flatMap(({ image }) => image ?? []));
  return {
    records: chosen.map((record) => ({ ...record, heldOut: false })),
    pictures: pictures.filter(({ path }) => used.has(path)),
  };
}

/** Ids that no record has yet: `a`, `a-2`, `a-3` … */
class RecordIds {
  private readonly taken: Set<string>;
  private readonly counts = new Map<string, number>();

  constructor(records: readonly DatasetRecord[]) {
    this.taken = new Set(records.map(({ id }) => id));
  }

  next(wanted: string): string {
    const base = wanted.replace(/-\d+$/, '') || wanted;
    let id = wanted;
    while (this.taken.has(id)) {
      const count = (this.counts.get(base) ?? 1) + 1;
      this.counts.set(base, count);
      id = `${base}-${count}`;
    }
    this.taken.add(id);
    return id;
  }
}

/** Has no answer yet, or an empty one. */
function isDraft({ messages }: DatasetRecord): boolean {
  return messages.length === 0 || messages.some(({ role, content }) => role === 'assistant' && content.trim() === '');
}

function passes(record: DatasetRecord, filter: RecordQuery['filter']): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'training':
      return !record.heldOut && !isDraft(record);
    case 'held-out':
      return record.heldOut;
    case 'drafts':
      return isDraft(record);
  }
}

function says({ id, task, messages }: DatasetRecord, words: string): boolean {
  return [id, task, ...messages.map(({ content }) => content)].some((text) => text.toLowerCase().includes(words));
}

function tasksOf(records: readonly DatasetRecord[]): RecordPage['tasks'] {
  const tasks = new Map<string, { name: string; records: number; heldOut: number }>();
  for (const { task, heldOut } of records) {
    const counts = tasks.get(task) ?? { name: task, records: 0, heldOut: 0 };
    counts.records += 1;
    if (heldOut) counts.heldOut += 1;
    tasks.set(task, counts);
  }
  return [...tasks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function summaryOf({ pictureBytes: _, deletedAt: __, ...summary }: IndexEntry): DatasetSummary {
  return summary;
}

function indexOf(records: readonly DatasetRecord[], id: string): number {
  const index = records.findIndex((record) => record.id === id);
  if (index < 0) throw new NvlmError('not-found', `There is no record “${id}” any more.`, 'Another tab removed it.');
  return index;
}

function replace<T>(list: T[], by: readonly T[]): void {
  list.length = 0;
  for (const one of by) list.push(one);
}

function checkRoom(records: readonly DatasetRecord[], more: number): void {
  if (records.length + more > MOST_RECORDS)
    throw tooLarge(`That makes ${records.length + more} records`, `${MOST_RECORDS} records`);
}

function cleanTitle(title: string): string {
  return title.trim().slice(0, 80) || 'Untitled';
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function noDataset(): NvlmError {
  return new NvlmError(
    'not-found',
    'This dataset is not there any more.',
    'Choose another; it was deleted, perhaps in another tab.',
  );
}
