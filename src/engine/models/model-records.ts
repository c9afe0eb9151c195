import { createHasher } from '../../weights/hasher.ts';
import { getSmall, putSmall } from '../../files/blobs/small-files.ts';
import type { BlobStore, StoredUsage } from '../../files/blobs/store.ts';
import type { ModelEntry, ModelSource } from '../api.ts';
import { familySummary } from './family-summary.ts';
import { modelAddress, modelTitle } from './model-address.ts';

/** What is known of a stored model without opening it. */
export type ModelRecord = Pick<ModelEntry, 'title' | 'source' | 'family' | 'parameters' | 'bytes' | 'takesPictures' | 'settings'>;

/** Beside the model's own files, so that it comes and goes with them; `~` stands in no file name of a model. */
const RECORD_FILE = '~model.json';
const MAX_RECORD_BYTES = 64 * 1024;

/** The folder of a model in the browser's storage. Folders of two sources never lie in each other. */
export function storageFolder(source: ModelSource): string {
  if (source.kind === 'bundled') return source.id;
  if (source.kind === 'hub') return `hub/${source.repository}/${source.revision}`;
  const hasher = createHasher();
  hasher.update(new TextEncoder().encode(modelAddress(source)));
  const name = modelTitle(source)
    .replace(/[^\w.-]/g, '_')
    .slice(0, 80);
  return `${source.kind}/${name}-${hasher.digest().slice(0, 16)}`;
}

/** Whether anything of this source is kept: what lies on the visitor's own disk, or in a run, is read in place. */
export function isKept(source: ModelSource): boolean {
  return source.kind === 'hub' || source.kind === 'url';
}

/** Never fails: a model that cannot be noted down works all the same. */
export async function writeRecord(store: BlobStore, record: ModelRecord): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...record, family: record.family.id }));
  try {
    await putSmall(store, `${storageFolder(record.source)}/${RECORD_FILE}`, bytes);
  } catch {
    // Full, or another tab is writing the same.
  }
}

export async function readRecords(store: BlobStore, usage: readonly StoredUsage[]): Promise<ModelRecord[]> {
  const records: ModelRecord[] = [];
  for (const { path } of usage) {
    if (!path.endsWith(`/${RECORD_FILE}`)) continue;
    const bytes = await getSmall(store, path, MAX_RECORD_BYTES);
    const record = bytes && parseRecord(new TextDecoder().decode(bytes));
    if (record && path === `${storageFolder(record.source)}/${RECORD_FILE}`) records.push(record);
  }
  return records;
}

/** Bytes of a model's own files in storage, unfinished ones included. */
export function storedBytesOf(source: ModelSource, usage: readonly StoredUsage[]): number {
  const folder = `${storageFolder(source)}/`;
  return usage
    .filter(({ path }) => path.startsWith(folder) && !path.endsWith(`/${RECORD_FILE}`))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/** As it is written: the family by its id, which older pages wrote as `architecture`, `NVLM_D` for `nvlm-d`. */
type WrittenRecord = Omit<ModelRecord, 'family'> & { family?: string; architecture?: string };

/** What an older page may have written otherwise does not count. */
function parseRecord(text: string): ModelRecord | null {
  try {
    const { family: id, architecture, ...record } = JSON.parse(text) as WrittenRecord;
    const family = familySummary(id ?? String(architecture).toLowerCase().replace('_', '-'));
    const sound =
      isKept(record.source) &&
      typeof record.title === 'string' &&
      Number.isFinite(record.parameters) &&
      Number.isFinite(record.bytes) &&
      typeof record.takesPictures === 'boolean';
    return sound && family ? { ...record, family } : null;
  } catch {
    return null;
  }
}
