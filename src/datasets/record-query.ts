import type { DatasetRecord, RecordPage, RecordQuery } from './types.ts';

/** Has no answer yet, or an empty one. */
export function isDraft({ messages }: DatasetRecord): boolean {
  return (
    !messages.some(({ role }) => role === 'assistant') ||
    messages.some(({ role, content }) => role === 'assistant' && content.trim() === '')
  );
}

/** One page of the records that a query asks for, and what there is besides. */
export function queryRecords(
  records: readonly DatasetRecord[],
  { filter, search, task, offset, limit }: RecordQuery,
): Omit<RecordPage, 'summary'> {
  const words = search.trim().toLowerCase();
  const found = records.filter(
    (record) => passes(record, filter) && (task === null || record.task === task) && (words === '' || says(record, words)),
  );
  return { records: found.slice(offset, offset + limit), matches: found.length, tasks: tasksOf(records) };
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
