import { Random } from '../desk/random.ts';
import type { DatasetRecord } from './types.ts';

/**
 * Which records to keep out of training: the given share of every task, as near as it goes. All records of a picture stay
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
  /** How many more of each task are wanted. */
  const wanted = new Map<string, number>();
  for (const { task } of records) wanted.set(task, (wanted.get(task) ?? 0) + ratio);
  const heldOut = records.map(() => false);
  for (const group of new Random(seed).shuffle([...groups.values()])) {
    const counts = new Map<string, number>();
    for (const i of group) counts.set(records[i]!.task, (counts.get(records[i]!.task) ?? 0) + 1);
    let change = 0;
    for (const [task, count] of counts) change += Math.abs(wanted.get(task)! - count) - Math.abs(wanted.get(task)!);
    if (change >= 0) continue;
    for (const [task, count] of counts) wanted.set(task, wanted.get(task)! - count);
    for (const i of group) heldOut[i] = true;
  }
  return heldOut;
}
