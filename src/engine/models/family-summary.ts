import type { Family } from '../../nvlm/families/family.ts';
import { FAMILIES } from '../../nvlm/families/list.ts';
import type { FamilySummary } from '../api.ts';

/** What people are told of a family. */
export function summaryOf({ id, title, words, crossAttends, onePicture }: Family): FamilySummary {
  return { id, title, words, crossAttends, onePicture: onePicture ?? null };
}

/** @param id as a record has kept it; null for a family that is not known (any more) */
export function familySummary(id: string): FamilySummary | null {
  const family = FAMILIES.find((one) => one.id === id);
  return family ? summaryOf(family) : null;
}
