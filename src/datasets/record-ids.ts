import type { DatasetRecord } from './types.ts';

/** Ids that no record has yet: `a`, `a-2`, `a-3` … */
export class RecordIds {
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
