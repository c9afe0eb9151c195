import { NvlmError } from '../errors.ts';
import { IMAGE_PLACEHOLDER } from '../text/conversation.ts';
import type { ChatMessage } from '../text/types.ts';

/** One answer to be given: a LLaVA record with one turn is one question, with two turns it is two. */
export interface DataQuestion {
  /** The record's; further turns of it are `id#2`, `id#3` … */
  id: string;
  task: string;
  /** Path as it stands in the record, null for text only. */
  image: string | null;
  /** The conversation up to and with the question; earlier answers are the record's own. */
  messages: ChatMessage[];
  answer: string;
}

/** A whole conversation about one picture or none; every answer in it can be learnt. */
export interface DataRecord {
  id: string;
  task: string;
  image: string | null;
  /** User and assistant in turn. */
  messages: ChatMessage[];
}

/** A row that cannot be used, and why. */
export interface DataProblem {
  id: string;
  reason: string;
}

/** Task of records that name none. */
const NO_TASK = 'all';

/**
 * Reads LLaVA records, as a JSON array or as JSONL:
 * `{id, image?, task?, conversations: [{from: "human" | "gpt", value}]}`.
 * Rows that break the form are set aside with the reason.
 *
 * @throws NvlmError `bad-data` when the text as a whole is neither
 */
export function parseRecords(text: string): { records: DataRecord[]; problems: DataProblem[] } {
  const records: DataRecord[] = [];
  const problems: DataProblem[] = [];
  for (const { row, value } of rowsOf(text, problems)) {
    const read = readRecord(value, row);
    if ('reason' in read) problems.push(read);
    else records.push(read);
  }
  return { records, problems };
}

/** The questions of {@link parseRecords}, each with the conversation before it. */
export function parseConversations(text: string): { questions: DataQuestion[]; problems: DataProblem[] } {
  const { records, problems } = parseRecords(text);
  return { questions: records.flatMap(questionsOf), problems };
}

function questionsOf({ id, task, image, messages }: DataRecord): DataQuestion[] {
  return Array.from({ length: messages.length / 2 }, (_, turn) => ({
    id: turn === 0 ? id : `${id}#${turn + 1}`,
    task,
    image,
    messages: messages.slice(0, 2 * turn + 1),
    answer: messages[2 * turn + 1]!.content,
  }));
}

function rowsOf(text: string, problems: DataProblem[]): { row: string; value: unknown }[] {
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
    return (records as unknown[]).map((value, i) => ({ row: `record ${i + 1}`, value }));
  }
  return body.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return [];
    const row = `line ${i + 1}`;
    try {
      return [{ row, value: JSON.parse(line) as unknown }];
    } catch {
      problems.push({ id: row, reason: 'it is not JSON' });
      return [];
    }
  });
}

function readRecord(value: unknown, row: string): DataRecord | DataProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { id: row, reason: 'it is not an object' };
  const { id: given, image: path, task = NO_TASK, conversations } = value as Record<string, unknown>;
  const id = typeof given === 'string' || typeof given === 'number' ? String(given) : row;
  const bad = (reason: string): DataProblem => ({ id, reason });
  const image = path ?? null;
  if (image !== null && (typeof image !== 'string' || image === '')) return bad('"image" is not a path');
  if (image !== null && /^[a-z][a-z+.-]+:/i.test(image))
    return bad('"image" is an address; only files beside the data are read');
  if (typeof task !== 'string') return bad('"task" is not text');
  if (!Array.isArray(conversations)) return bad('"conversations" is not a list');
  if (conversations.length === 0 || conversations.length % 2 !== 0)
    return bad('its turns are not pairs of human and gpt');

  const messages: ChatMessage[] = [];
  for (const [i, turn] of (conversations as unknown[]).entries()) {
    const { from, value: said } = (turn ?? {}) as Record<string, unknown>;
    const expected = i % 2 === 0 ? 'human' : 'gpt';
    if (from !== expected || typeof said !== 'string')
      return bad(`turn ${i + 1} is not {"from": "${expected}", "value": text}`);
    if (expected === 'human' && image === null && said.includes(IMAGE_PLACEHOLDER))
      return bad(`it says ${IMAGE_PLACEHOLDER} and names no "image"`);
    messages.push({ role: expected === 'human' ? 'user' : 'assistant', content: said });
  }
  return { id, task, image, messages };
}
