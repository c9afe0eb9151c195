import type { Folder } from '../files/folder.ts';
import { writeZip } from '../files/write-zip.ts';
import { DatasetStore, summaryOf, type Exclusive } from './dataset-store.ts';
import { generateRecords } from './generate.ts';
import { importFiles, type PictureSink } from './import/import-files.ts';
import type { SourceFile } from './import/source-file.ts';
import { MOST_RECORDS } from './limits.ts';
import { formatRecords } from './llava.ts';
import { PictureIntake } from './picture-intake.ts';
import {
  addRecord,
  checkRoom,
  duplicateRecord,
  holdOutShare,
  indexOf,
  putBackRecords,
  removeRecords,
  updateRecord,
  type RecordPatch,
} from './record-edits.ts';
import { RecordIds } from './record-ids.ts';
import { queryRecords } from './record-query.ts';
import type {
  DatasetRecord,
  DatasetSummary,
  GenerateRequest,
  ImportChoices,
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
    return this.edit(id, (records) => updateRecord(records, recordId, patch)).then(({ summary }) => summary);
  }

  /** @returns the new record's id; see {@link addRecord} */
  add(id: string, after: string | null, withPicture: boolean): Promise<string> {
    return this.edit(id, (records) => addRecord(records, after, withPicture)).then(({ result }) => result);
  }

  /** @returns the copy's id */
  duplicate(id: string, recordId: string): Promise<string> {
    return this.edit(id, (records) => duplicateRecord(records, recordId)).then(({ result }) => result);
  }

  /** Their pictures stay until the dataset is opened anew, so that {@link putBack} finds them. */
  removeRecords(id: string, recordIds: readonly string[]): Promise<RemovedRecord[]> {
    return this.edit(id, (records) => removeRecords(records, recordIds)).then(({ result }) => result);
  }

  putBack(id: string, removed: readonly RemovedRecord[]): Promise<DatasetSummary> {
    return this.edit(id, (records) => putBackRecords(records, removed)).then(({ summary }) => summary);
  }

  /** Of every task about this share is held out, all records of a picture together. */
  split(id: string, ratio: number, seed: number): Promise<DatasetSummary> {
    return this.edit(id, (records) => holdOutShare(records, ratio, seed)).then(({ summary }) => summary);
  }

  /** @throws NvlmError as `importFiles`; then nothing was added */
  import(id: string, files: readonly SourceFile[], choices: ImportChoices = {}, options: WorkOptions = {}): Promise<ImportReport> {
    return this.adding(id, async (sink, room) => {
      const { records, report } = await importFiles(files, sink, { ...choices, room, ...options });
      return { records, result: report };
    });
  }

  /** Adds drawn pictures with questions and answers. */
  generate(id: string, request: GenerateRequest, options: WorkOptions = {}): Promise<ImportReport> {
    return this.adding(id, async (sink) => {
      const { records, pictures } = await generateRecords(request, sink, options);
      return { records, result: { records: records.length, pictures, problems: [], problemCount: 0, notes: [] } };
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
      for (const path of new Set(records.flatMap(({ image }) => image ?? []))) yield { path, bytes: await picture(path) };
      // Last, as everywhere: who finds it finds all.
      yield { path: 'data.json', bytes: new TextEncoder().encode(formatRecords(records)) as Uint8Array };
    }
    return writeZip(files());
  }

  /** Adds what `work` makes, or nothing of it. */
  private adding<T>(id: string, work: (sink: PictureSink, room: number) => Promise<{ records: DatasetRecord[]; result: T }>): Promise<T> {
    return this.store.use(id, async ({ entry, records: present, place, save }) => {
      const intake = await PictureIntake.open(this.folder, place, entry.pictureBytes);
      try {
        const { records, result } = await work(intake, MOST_RECORDS - present.length);
        checkRoom(present, records.length);
        const ids = new RecordIds(present);
        for (const record of records) present.push({ ...record, id: ids.next(record.id) });
        entry.pictureBytes = intake.bytes;
        await save();
        return result;
      } catch (error) {
        await intake.undo();
        throw error;
      }
    });
  }

  private edit<T>(id: string, change: (records: DatasetRecord[]) => T): Promise<{ result: T; summary: DatasetSummary }> {
    return this.store.use(id, async ({ records, save }) => {
      const result = change(records);
      return { result, summary: await save() };
    });
  }
}

function cleanTitle(title: string): string {
  return title.trim().slice(0, 80) || 'Untitled';
}
