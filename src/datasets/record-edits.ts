import { NvlmError } from '../errors.ts';
import { MOST_RECORDS, tooLarge } from './limits.ts';
import { RecordIds } from './record-ids.ts';
import { splitRecords } from './split.ts';
import type { DatasetRecord, RemovedRecord } from './types.ts';

/** What one picture or record may be changed in. */
export type RecordPatch = Partial<Pick<DatasetRecord, 'task' | 'messages' | 'heldOut'>>;

/** @throws NvlmError `not-found` */
export function indexOf(records: readonly DatasetRecord[], id: string): number {
  const index = records.findIndex((record) => record.id === id);
  if (index < 0) throw new NvlmError('not-found', `There is no record “${id}” any more.`, 'Another tab removed it.');
  return index;
}

/** @throws NvlmError `bad-data` */
export function checkRoom(records: readonly DatasetRecord[], more: number): void {
  if (records.length + more > MOST_RECORDS) throw tooLarge(`That makes ${records.length + more} records`, `${MOST_RECORDS} records`);
}

export function updateRecord(records: DatasetRecord[], id: string, patch: RecordPatch): void {
  const index = indexOf(records, id);
  records[index] = { ...records[index]!, ...patch };
}

/** A further record, behind `after` or last; with that record's picture, or text only. @returns its id */
export function addRecord(records: DatasetRecord[], after: string | null, withPicture: boolean): string {
  checkRoom(records, 1);
  const index = after === null ? records.length - 1 : indexOf(records, after);
  const { image = null, task = 'all', heldOut = false } = (after !== null && records[index]) || {};
  const id = new RecordIds(records).next(after ?? 'text');
  records.splice(index + 1, 0, { id, task, heldOut, image: withPicture ? image : null, messages: [] });
  return id;
}

/** @returns the copy's id */
export function duplicateRecord(records: DatasetRecord[], of: string): string {
  checkRoom(records, 1);
  const index = indexOf(records, of);
  const id = new RecordIds(records).next(of);
  records.splice(index + 1, 0, { ...structuredClone(records[index]!), id });
  return id;
}

/** @returns them with their places, for {@link putBackRecords} */
export function removeRecords(records: DatasetRecord[], ids: readonly string[]): RemovedRecord[] {
  const gone = new Set(ids);
  const removed = records.flatMap((record, index): RemovedRecord[] => (gone.has(record.id) ? [{ index, record }] : []));
  const left = records.filter(({ id }) => !gone.has(id));
  records.length = 0;
  for (const record of left) records.push(record);
  return removed;
}

export function putBackRecords(records: DatasetRecord[], removed: readonly RemovedRecord[]): void {
  for (const { index, record } of removed) records.splice(index, 0, record);
}

/** Of every task about this share is held out, all records of a picture together. */
export function holdOutShare(records: DatasetRecord[], ratio: number, seed: number): void {
  const heldOut = splitRecords(records, ratio, seed);
  heldOut.forEach((held, i) => void (records[i] = { ...records[i]!, heldOut: held }));
}
