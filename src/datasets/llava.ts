import { NvlmError } from '../errors.ts';
import { IMAGE_PLACEHOLDER } from '../text/conversation.ts';
import type { ChatMessage } from '../text/types.ts';
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
 * `{id, image?, task?, held_out?, conversations: [{from: "human" | "gpt", value}]}`.
 * Rows that break the form are set aside with the reason.
 *
 * @throws NvlmError `bad-data` when the text as a whole is neither
 */
export function parseRecords(
  text: string,
  options: ReadOptions = {},
): { records: DatasetRecord[]; problems: DataProblem[] } {
  const records: DatasetRecord[] = [];
  const { rows, problems } = parseRows(text);
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

function toLlava({ id, task, image, messages, heldOut }: DatasetRecord) {
  return {
    id,
    ...(image !== null && { image }),
    ...(task !== NO_TASK && { task }),
    ...(heldOut && { held_out: true }),
    conversations: messages.map(({ role, content }) => ({ from: role === 'user' ? 'human' : 'gpt', value: content })),
  };
}

export interface ParsedRow {
  /** Where it stood, e.g. `line 3`. */
  row: string;
  value: unknown;
}

/** Values of a JSON array or of JSONL. @throws NvlmError `bad-data` when the text as a whole is neither */
export function parseRows(text: string): { rows: ParsedRow[]; problems: DataProblem[] } {
  const problems: DataProblem[] = [];
  const body = text.replace(/^\ufeff/, '').trim();
  if (body.startsWith('[')) {
    let records: unknown;
    try {
      records = JSON.parse(body);
    } catch (cause) {
      throw new NvlmError(
        'bad-data',
        `The data is not JSON: ${(cause as Error).message}.`,
        'Correct the file, or make it again.',
        { cause },
      );
    }
    return { rows: (records as unknown[]).map((value, i) => ({ row: `record ${i + 1}`, value })), problems };
  }
  const rows = body.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return [];
    const row = `line ${i + 1}`;
    try {
      return [{ row, value: JSON.parse(line) as unknown }];
    } catch {
      problems.push({ id: row, reason: 'it is not JSON' });
      return [];
    }
  });
  return { rows, problems };
}

/** @param row name of a record without an id */
export function readRecord(
  value: unknown,
  row: string,
  { drafts = false }: ReadOptions = {},
): DatasetRecord | DataProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { id: row, reason: 'it is not an object' };
  const fields = value as Record<string, unknown>;
  const { id: given, image: path, task = NO_TASK, held_out: heldOut = false, conversations } = fields;
  const id = typeof given === 'string' || typeof given === 'number' ? String(given) : row;
  const bad = (reason: string): DataProblem => ({ id, reason });
  const image = path ?? null;
  if (image !== null && (typeof image !== 'string' || image === '')) return bad('"image" is not a path');
  if (image !== null && /^[a-z][a-z+.-]+:/i.test(image))
    return bad('"image" is an address; only files beside the data are read');
  if (typeof task !== 'string') return bad('"task" is not text');
  if (!Array.isArray(conversations)) return bad('"conversations" is not a list');
  if (typeof heldOut !== 'boolean') return bad('"held_out" is not true or false');
  if (conversations.length === 0 && !drafts) return bad('it has no question and answer yet');
  if (conversations.length % 2 !== 0) return bad('its turns are not pairs of human and gpt');

  const messages: ChatMessage[] = [];
  for (const [i, turn] of (conversations as unknown[]).entries()) {
    const { from, value: said } = (turn ?? {}) as Record<string, unknown>;
    const expected = i % 2 === 0 ? 'human' : 'gpt';
    if (from !== expected || typeof said !== 'string')
      return bad(`turn ${i + 1} is not {"from": "${expected}", "value": text}`);
    if (expected === 'human' && image === null && said.includes(IMAGE_PLACEHOLDER))
      return bad(`it says ${IMAGE_PLACEHOLDER} and names no "image"`);
    if (expected === 'gpt' && said.trim() === '' && !drafts) return bad(`turn ${i + 1}, the answer, is empty`);
    messages.push({ role: expected === 'human' ? 'user' : 'assistant', content: said });
  }
  return { id, task, image, messages, heldOut };
}
