import { Random } from '../desk/random.ts';
import type { DatasetRecord } from './types.ts';

/** What a record counts to when shares are taken: its task, and of pictures with one question each, its label. */
function strataOf(records: readonly DatasetRecord[], ratio: number): string[] {
  const answerOf = ({ messages }: DatasetRecord) => messages.findLast(({ role }) => role === 'assistant')?.content ?? '';
  const pictures = new Set(records.map(({ image }, i) => image ?? i));
  // Several questions about a picture go together, and then not every answer can have its share.
  if (pictures.size < records.length) return records.map(({ task }) => task);
  const labels = records.map((record) => JSON.stringify([record.task, answerOf(record)]));
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  // So frequent that both sides get some of it.
  const isShared = (label: string) => counts.get(label)! * Math.min(ratio, 1 - ratio) > 0.5;
  return records.map(({ task }, i) => (isShared(labels[i]!) ? labels[i]! : task));
}

/**
 * Which records to keep out of training: the given share of every task and label, as near as it goes. All records of a picture stay
 * on one side, or the held-out loss would be measured on pictures that were learnt.
 *
 * @param ratio 0–1
 * @returns for each record whether it is held out
 */
export function splitRecords(records: readonly DatasetRecord[], ratio: number, seed: number): boolean[] {
  const groups = new Map<string, number[]>();
  records.forEach(({ image }, i) => {
    const key = image ?? `text ${i}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  /** How many more of each task or label are wanted. */
  const wanted = new Map<string, number>();
  const strata = strataOf(records, ratio);
  for (const stratum of strata) wanted.set(stratum, (wanted.get(stratum) ?? 0) + ratio);
  const heldOut = records.map(() => false);
  for (const group of new Random(seed).shuffle([...groups.values()])) {
    const counts = new Map<string, number>();
    for (const i of group) counts.set(strata[i]!, (counts.get(strata[i]!) ?? 0) + 1);
    let change = 0;
    for (const [stratum, count] of counts) change += Math.abs(wanted.get(stratum)! - count) - Math.abs(wanted.get(stratum)!);
    if (change >= 0) continue;
    for (const [stratum, count] of counts) wanted.set(stratum, wanted.get(stratum)! - count);
    for (const i of group) heldOut[i] = true;
  }
  return heldOut;
}
