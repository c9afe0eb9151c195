import { IMAGE_PLACEHOLDER } from '../text/image-placeholder.ts';
import type { ChatMessage } from '../text/types.ts';
import { jsonRows } from './json-rows.ts';
import type { DatasetRecord } from './types.ts';

/** A row that cannot be used, and why. */
export interface DataProblem {
  id: string;
  reason: string;
}

/** Task of records that name none. */
export const NO_TASK = 'all';

export interface ReadOptions {
  /** Records that are still being written pass: no turn yet, or an empty answer. */
  drafts?: boolean;
}

/**
 * Reads LLaVA records, as a JSON array or as JSONL:
 * `{id, image?, task?, held_out?, conversations: [{from: "human" | "gpt", value}]}`, with a turn from `system` before the
 * others if need be. Rows that break the form are set aside with the reason: the form of the playground's own datasets, which
 * whatever else people bring is put into (see `import/`).
 *
 * @throws NvlmError `bad-data` when the text as a whole is neither
 */
export function parseRecords(text: string, options: ReadOptions = {}): { records: DatasetRecord[]; problems: DataProblem[] } {
  const records: DatasetRecord[] = [];
  const { rows, problems: broken } = jsonRows(text);
  const problems = broken.map(({ row, reason }): DataProblem => ({ id: row, reason }));
  for (const { row, value } of rows) {
    const read = readRecord(value, row, options);
    if ('reason' in read) problems.push(read);
    else records.push(read);
  }
  return { records, problems };
}

/** The inverse of {@link parseRecords}: a JSON array, one record a line. */
export function formatRecords(records: readonly DatasetRecord[]): string {
  return `[${records.map((record) => `\n${JSON.stringify(toLlava(record))}`).join(',')}\n]\n`;
}

const SPEAKERS = { system: 'system', user: 'human', assistant: 'gpt' } as const;

function toLlava({ id, task, image, messages, heldOut }: DatasetRecord) {
  return {
    id,
    ...(image !== null && { image }),
    ...(task !== NO_TASK && { task }),
    ...(heldOut && { held_out: true }),
    conversations: messages.map(({ role, content }) => ({ from: SPEAKERS[role], value: content })),
  };
}

/** @param row name of a record without an id */
export function readRecord(value: unknown, row: string, { drafts = false }: ReadOptions = {}): DatasetRecord | DataProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { id: row, reason: 'it is not an object' };
  const fields = value as Record<string, unknown>;
  const { id: given, image: path, task = NO_TASK, held_out: heldOut = false, conversations } = fields;
  const id = typeof given === 'string' || typeof given === 'number' ? String(given) : row;
  const bad = (reason: string): DataProblem => ({ id, reason });
  const image = path ?? null;
  if (image !== null && (typeof image !== 'string' || image === '')) return bad('"image" is not a path');
  if (image !== null && /^[a-z][a-z+.-]+:/i.test(image)) return bad('"image" is an address; only files beside the data are read');
  if (typeof task !== 'string') return bad('"task" is not text');
  if (!Array.isArray(conversations)) return bad('"conversations" is not a list');
  if (typeof heldOut !== 'boolean') return bad('"held_out" is not true or false');
  const messages: ChatMessage[] = [];
  const first = (conversations[0] ?? {}) as Record<string, unknown>;
  const lead = first.from === 'system' ? 1 : 0;
  if (lead === 1) {
    if (typeof first.value !== 'string') return bad('turn 1 is not {"from": "system", "value": text}');
    messages.push({ role: 'system', content: first.value });
  }
  if (conversations.length === lead && !drafts) return bad('it has no question and answer yet');
  if (((conversations[lead] ?? {}) as Record<string, unknown>).from === 'gpt') return bad('it begins with an answer');
  const last = (conversations.at(-1) ?? {}) as Record<string, unknown>;
  if ((conversations.length - lead) % 2 !== 0 && last.from === 'human') return bad('its last question has no answer');
  if ((conversations.length - lead) % 2 !== 0) return bad('its turns are not pairs of human and gpt');

  for (const [i, turn] of (conversations as unknown[]).entries()) {
    if (i < lead) continue;
    const { from, value: said } = (turn ?? {}) as Record<string, unknown>;
    const expected = (i - lead) % 2 === 0 ? 'human' : 'gpt';
    if (from !== expected || typeof said !== 'string') return bad(`turn ${i + 1} is not {"from": "${expected}", "value": text}`);
    if (expected === 'gpt' && said.trim() === '' && !drafts) return bad(`turn ${i + 1}, the answer, is empty`);
    messages.push({ role: expected === 'human' ? 'user' : 'assistant', content: said });
  }
  // What is still being written must come back from the disk as it is.
  const reason = drafts ? null : misplacedPicture(messages, image !== null);
  return reason === null ? { id, task, image, messages, heldOut } : bad(reason);
}

/** Why the placeholders of a conversation and its picture do not belong together; null when they do. */
export function misplacedPicture(messages: readonly ChatMessage[], hasPicture: boolean): string | null {
  const counts = messages.map(({ role, content }) => ({ role, places: content.split(IMAGE_PLACEHOLDER).length - 1 }));
  const asked = counts.reduce((sum, { role, places }) => sum + (role === 'user' ? places : 0), 0);
  if (asked > 0 && !hasPicture) return `it says ${IMAGE_PLACEHOLDER} and names no "image"`;
  if (asked > 1) return `it says ${IMAGE_PLACEHOLDER} ${asked} times and has one picture`;
  const other = counts.findIndex(({ role, places }) => role !== 'user' && places > 0);
  return other < 0 ? null : `turn ${other + 1} says ${IMAGE_PLACEHOLDER}, but a picture can only stand in a question`;
}
