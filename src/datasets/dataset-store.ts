import { NvlmError } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import { datasetPlace } from './dataset-place.ts';
import { formatRecords, parseRecords } from './llava.ts';
import { isDraft } from './record-query.ts';
import type { DatasetRecord, DatasetSummary } from './types.ts';

const INDEX = datasetPlace('index.json');
/** A deleted dataset lies this long, so that deleting can be undone. */
const KEPT_DELETED_MS = 60_000;

export interface DatasetEntry extends DatasetSummary {
  pictureBytes: number;
  deletedAt?: number;
}

/** A dataset as it is held between calls; `changedAt` tells whether another tab has changed it since. */
interface Held {
  changedAt: number;
  records: DatasetRecord[];
}

/** A dataset while nobody else touches it. */
export interface OpenDataset {
  entry: DatasetEntry;
  /** To be changed in place; on the disk after {@link save}. */
  records: DatasetRecord[];
  /** Where its files lie. */
  place: string;
  save(): Promise<DatasetSummary>;
}

/** Runs work alone among all that name the same thing, over all tabs. */
export type Exclusive = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** Datasets on the disk: an index of all, and of each its folder with `data.json` and `pictures/`. */
export class DatasetStore {
  private readonly held = new Map<string, Held>();
  /** Datasets whose unused pictures this visit has cleared away already. */
  private readonly swept = new Set<string>();

  constructor(
    private readonly folder: Folder,
    private readonly exclusive: Exclusive,
    private readonly now: () => number,
  ) {}

  async list(): Promise<DatasetSummary[]> {
    const entries = await this.exclusive('index', async () => {
      const all = await this.readIndex();
      const gone = all.filter(({ deletedAt }) => deletedAt !== undefined && this.now() - deletedAt > KEPT_DELETED_MS);
      for (const { id } of gone) await this.folder.remove(datasetPlace(id));
      const left = all.filter((entry) => !gone.includes(entry));
      if (gone.length > 0) await this.writeIndex(left);
      return left;
    });
    return entries.filter(({ deletedAt }) => deletedAt === undefined).map(summaryOf);
  }

  async create(title: string): Promise<DatasetSummary> {
    const id = `${this.now().toString(36)}-${Math.floor(Math.random() * 36 ** 4).toString(36)}`;
    await this.folder.write(`${datasetPlace(id)}/data.json`, encode(formatRecords([])));
    return this.changeIndex((entries) => {
      const empty = { records: 0, heldOut: 0, drafts: 0, pictures: 0, bytes: 0, pictureBytes: 0 };
      const entry = { id, title, ...empty, changedAt: this.now() };
      entries.push(entry);
      return entry;
    });
  }

  /** @throws NvlmError `not-found` */
  change(id: string, change: (entry: DatasetEntry) => void): Promise<DatasetSummary> {
    return this.changeIndex((entries) => {
      const entry = entries.find((one) => one.id === id);
      if (!entry) throw noDataset();
      change(entry);
      return entry;
    });
  }

  /** @throws NvlmError `not-found`, and what `work` throws: then the dataset is as it is on the disk */
  use<T>(id: string, work: (dataset: OpenDataset) => Promise<T>): Promise<T> {
    return this.exclusive(id, async () => {
      const entry = (await this.readIndex()).find((one) => one.id === id);
      if (!entry || entry.deletedAt !== undefined) throw noDataset();
      const held = await this.load(entry);
      try {
        return await work({
          entry,
          records: held.records,
          place: datasetPlace(id),
          save: () => this.save(entry, held),
        });
      } catch (error) {
        // What is held may be ahead of the disk now.
        this.held.delete(id);
        throw error;
      }
    });
  }

  /**
   * Of a dataset, or of the data that a run brought along, whose pictures lie where its records say.
   *
   * @throws NvlmError `not-found`
   */
  async picture(id: string, path: string): Promise<Uint8Array> {
    // What leads out of the folder is refused by it.
    const bytes = await this.folder.read(`${datasetPlace(id)}/${path}`).catch(() => null);
    if (bytes) return bytes;
    throw new NvlmError('not-found', `The picture “${path}” is not in the dataset.`, 'Import it again.');
  }

  private async load(entry: DatasetEntry): Promise<Held> {
    const known = this.held.get(entry.id);
    if (known?.changedAt === entry.changedAt) return known;
    const bytes = await this.folder.read(`${datasetPlace(entry.id)}/data.json`);
    if (!bytes) throw noDataset();
    const { records } = parseRecords(new TextDecoder().decode(bytes), { drafts: true });
    const opened = { changedAt: entry.changedAt, records };
    this.held.set(entry.id, opened);
    if (!this.swept.has(entry.id)) await this.sweep(entry, records);
    this.swept.add(entry.id);
    return opened;
  }

  /** Pictures of records that were removed in an earlier visit, and of an import that was cut off. */
  private async sweep(entry: DatasetEntry, records: readonly DatasetRecord[]): Promise<void> {
    const used = new Set(records.flatMap(({ image }) => image ?? []));
    let bytes = 0;
    for (const file of await this.folder.list(`${datasetPlace(entry.id)}/pictures`)) {
      if (used.has(pictureName(file.path))) bytes += file.bytes;
      else await this.folder.remove(`${datasetPlace(entry.id)}/${pictureName(file.path)}`);
    }
    entry.pictureBytes = bytes;
  }

  private async save(entry: DatasetEntry, held: Held): Promise<DatasetSummary> {
    const { records } = held;
    const data = encode(formatRecords(records));
    await this.folder.write(`${datasetPlace(entry.id)}/data.json`, data);
    return this.change(entry.id, (stored) => {
      stored.records = records.length;
      stored.heldOut = records.filter(({ heldOut }) => heldOut).length;
      stored.drafts = records.filter(isDraft).length;
      stored.pictures = new Set(records.flatMap(({ image }) => image ?? [])).size;
      stored.pictureBytes = entry.pictureBytes;
      stored.bytes = entry.pictureBytes + data.length;
      stored.changedAt = held.changedAt = Math.max(this.now(), stored.changedAt + 1);
    });
  }

  private changeIndex(change: (entries: DatasetEntry[]) => DatasetEntry): Promise<DatasetSummary> {
    return this.exclusive('index', async () => {
      const entries = await this.readIndex();
      const changed = change(entries);
      await this.writeIndex(entries);
      return summaryOf(changed);
    });
  }

  private async readIndex(): Promise<DatasetEntry[]> {
    const bytes = await this.folder.read(INDEX);
    return bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as DatasetEntry[]) : [];
  }

  private writeIndex(entries: DatasetEntry[]): Promise<void> {
    return this.folder.write(INDEX, encode(JSON.stringify(entries)));
  }
}

export function summaryOf({ pictureBytes: _, deletedAt: __, ...summary }: DatasetEntry): DatasetSummary {
  return summary;
}

/** Of a listed file, its path in the dataset. */
export function pictureName(path: string): string {
  return path.slice(path.lastIndexOf('pictures/'));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function noDataset(): NvlmError {
  return new NvlmError('not-found', 'This dataset is not there any more.', 'Choose another; it was deleted, perhaps in another tab.');
}
