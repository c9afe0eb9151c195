import { NvlmError } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import { writeZip } from '../files/write-zip.ts';
import { decodeImage } from '../tiling/decode.ts';
import { sniffFormat } from '../tiling/sniff.ts';
import { DatasetStore, pictureName, summaryOf, type Exclusive } from './dataset-store.ts';
import { generateRecords } from './generate.ts';
import { importFiles, type PictureSink } from './import/import-files.ts';
import type { SourceFile } from './import/source-file.ts';
import { MOST_BYTES, MOST_RECORDS, tooLarge } from './limits.ts';
import { formatRecords } from './llava.ts';
import { PictureNames } from './picture-names.ts';
import { RecordIds } from './record-ids.ts';
import { queryRecords } from './record-query.ts';
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
  private readonly store: DatasetStore;

  constructor(
    private readonly folder: Folder,
    exclusive: Exclusive,
    private readonly now: () => number = Date.now,
  ) {
    this.store = new DatasetStore(folder, exclusive, now);
  }

  /** Latest change first. */
  async list(): Promise<DatasetSummary[]> {
    return (await this.store.list()).sort((a, b) => b.changedAt - a.changedAt);
  }

  create(title: string): Promise<DatasetSummary> {
    return this.store.create(cleanTitle(title));
  }

  rename(id: string, title: string): Promise<DatasetSummary> {
    return this.store.change(id, (entry) => void (entry.title = cleanTitle(title)));
  }

  /** Can be undone for a while, see {@link restore}. */
  async remove(id: string): Promise<void> {
    await this.store.change(id, (entry) => void (entry.deletedAt = this.now()));
  }

  restore(id: string): Promise<DatasetSummary> {
    return this.store.change(id, (entry) => void delete entry.deletedAt);
  }

  query(id: string, query: RecordQuery): Promise<RecordPage> {
    return this.store.use(id, async ({ entry, records }) => ({
      summary: summaryOf(entry),
      ...queryRecords(records, query),
    }));
  }

  /** @throws NvlmError `not-found` */
  record(id: string, recordId: string): Promise<DatasetRecord> {
    return this.store.use(id, async ({ records }) => records[indexOf(records, recordId)]!);
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
      const left = records.filter((record, index) => {
        if (gone.has(record.id)) removed.push({ index, record });
        return !gone.has(record.id);
      });
      records.length = 0;
      for (const record of left) records.push(record);
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
  import(
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

  /** Adds drawn pictures with questions and answers. */
  generate(id: string, request: GenerateRequest, options: WorkOptions = {}): Promise<ImportReport> {
    return this.adding(id, async (sink) => {
      const { records, pictures } = await generateRecords(request, sink, options);
      return { records, result: { records: records.length, pictures, problems: [], problemCount: 0 } };
    });
  }

  /** @throws NvlmError `not-found` */
  picture(id: string, path: string): Promise<Uint8Array> {
    return this.store.picture(id, path);
  }

  /** The dataset's folder as a zip, part by part: what `import` and `nvlm train` take. */
  async export(id: string): Promise<AsyncIterable<Uint8Array>> {
    const records = await this.store.use(id, async (dataset) => dataset.records.slice());
    const picture = (path: string) => this.picture(id, path);
    async function* files() {
      for (const path of new Set(records.flatMap(({ image }) => image ?? [])))
        yield { path, bytes: await picture(path) };
      // Last, as everywhere: who finds it finds all.
      yield { path: 'data.json', bytes: new TextEncoder().encode(formatRecords(records)) as Uint8Array };
    }
    return writeZip(files());
  }

  /** Adds what `work` makes, or nothing of it. */
  private adding<T>(
    id: string,
    work: (sink: PictureSink, room: number) => Promise<{ records: DatasetRecord[]; result: T }>,
  ): Promise<T> {
    return this.store.use(id, async ({ entry, records: present, place, save }) => {
      const pictures = await this.folder.list(`${place}/pictures`);
      const names = new PictureNames(pictures.map(({ path }) => pictureName(path)));
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
        const { records, result } = await work({ add }, MOST_RECORDS - present.length);
        checkRoom(present, records.length);
        const ids = new RecordIds(present);
        for (const record of records) present.push({ ...record, id: ids.next(record.id) });
        entry.pictureBytes = bytes;
        await save();
        return result;
      } catch (error) {
        for (const path of written) await this.folder.remove(`${place}/${path}`);
        throw error;
      }
    });
  }

  private edit(id: string, change: (records: DatasetRecord[]) => void): Promise<DatasetSummary> {
    return this.store.use(id, async ({ records, save }) => {
      change(records);
      return save();
    });
  }
}

function indexOf(records: readonly DatasetRecord[], id: string): number {
  const index = records.findIndex((record) => record.id === id);
  if (index < 0) throw new NvlmError('not-found', `There is no record “${id}” any more.`, 'Another tab removed it.');
  return index;
}

function checkRoom(records: readonly DatasetRecord[], more: number): void {
  if (records.length + more > MOST_RECORDS)
    throw tooLarge(`That makes ${records.length + more} records`, `${MOST_RECORDS} records`);
}

function cleanTitle(title: string): string {
  return title.trim().slice(0, 80) || 'Untitled';
}
