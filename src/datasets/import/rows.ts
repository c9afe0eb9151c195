import { IMAGE_PLACEHOLDER } from '../../text/conversation.ts';
import { MOST_TURN_CHARACTERS, MOST_TURNS } from '../limits.ts';
import { readRecord } from '../llava.ts';
import type { ColumnMapping, DatasetRecord } from '../types.ts';
import { guessMapping } from './columns.ts';

/** Where a row's picture is: a file that it names, or bytes that came in the row. */
export type RowPicture = { path: string } | { bytes: Uint8Array; path: string };

/** A row that was understood; its record names no picture of the dataset yet. */
export interface ReadRow {
  record: DatasetRecord;
  picture: RowPicture | null;
}

type Fields = Record<string, unknown>;

interface Turn {
  from: 'human' | 'gpt';
  value: unknown;
}

/** A row that cannot be used: the message says why. */
class RowError extends Error {}

/**
 * Brings one row of any source into LLaVA's form and through its reader. Understood are LLaVA's `conversations`, lists of
 * `{role, content}` and of `{user, assistant}`, and plain columns of questions and answers.
 *
 * @param mapping null: by the row's own names
 */
export function readRow(
  value: unknown,
  name: string,
  mapping: ColumnMapping | null = null,
): ReadRow | { reason: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { reason: 'it is not an object' };
  const fields = value as Fields;
  try {
    const columns = mapping ?? guessMapping(Object.keys(fields));
    const of = (column: string | null): unknown => (column === null ? undefined : fields[column]);
    const picture = pictureOf(of(columns.image));
    const conversations =
      columns.conversations === null
        ? pair(of(columns.question), of(columns.answer), columns)
        : turnsOf(of(columns.conversations));
    checkSizes(conversations);
    const read = readRecord(
      {
        id: plainText(of(columns.id)) ?? name,
        // A stand-in that the reader takes; the caller puts the dataset's own path in its place.
        ...(picture && { image: 'picture' }),
        ...(columns.task !== null && { task: plainText(of(columns.task)) ?? undefined }),
        held_out: isHeldOut(of(columns.split)),
        conversations,
      },
      name,
      // A picture still without an answer is worth keeping: the answer can be written here.
      { drafts: picture !== null },
    );
    return 'reason' in read ? { reason: read.reason } : { record: read, picture };
  } catch (error) {
    if (error instanceof RowError) return { reason: error.message };
    throw error;
  }
}

function pair(question: unknown, answer: unknown, { question: column, fixedQuestion }: ColumnMapping): Turn[] {
  const said = plainText(answer);
  if (said === null || said.trim() === '') throw new RowError('it has no answer');
  const asked = column === null ? fixedQuestion : plainText(question);
  if (asked === null || asked.trim() === '') throw new RowError('it has no question');
  return [
    { from: 'human', value: asked },
    { from: 'gpt', value: said },
  ];
}

const SPEAKERS: Record<string, 'human' | 'gpt' | 'system'> = {
  human: 'human',
  user: 'human',
  question: 'human',
  gpt: 'gpt',
  assistant: 'gpt',
  model: 'gpt',
  bot: 'gpt',
  answer: 'gpt',
  system: 'system',
};

function turnsOf(value: unknown): Turn[] {
  const list = typeof value === 'string' ? parsed(value) : value;
  if (!Array.isArray(list)) throw new RowError('its conversation is not a list of turns');
  if (list.length > MOST_TURNS) throw new RowError(`it has ${list.length} turns`);
  let system = '';
  const turns = (list as unknown[]).flatMap((turn, i): Turn[] => {
    if (typeof turn !== 'object' || turn === null) throw new RowError(`turn ${i + 1} is not an object`);
    const { from, value: said, role, content, user, assistant } = turn as Fields;
    if (user !== undefined && assistant !== undefined)
      return [
        { from: 'human', value: user },
        { from: 'gpt', value: assistant },
      ];
    const speaker = SPEAKERS[String(from ?? role).toLowerCase()];
    if (!speaker) throw new RowError(`turn ${i + 1} is by neither human nor gpt`);
    const text = textOf(said ?? content);
    if (speaker === 'system') {
      // The model brings a system message of its own; what the data says to it stands before the first question.
      if (typeof text === 'string') system += `${text}\n\n`;
      return [];
    }
    return [{ from: speaker, value: text }];
  });
  const first = turns[0];
  if (first && system && typeof first.value === 'string') first.value = system + first.value;
  return turns;
}

/** Text, or the parts that chat formats make of text and pictures. */
function textOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  return (content as Fields[])
    .map((part) => (part?.type === 'text' ? part.text : part?.type === 'image' ? `${IMAGE_PLACEHOLDER}\n` : ''))
    .join('');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new RowError('its conversation is not JSON');
  }
}

function pictureOf(value: unknown): RowPicture | null {
  const one = Array.isArray(value) ? onlyOne(value as unknown[]) : value;
  if (one === undefined || one === null || one === '') return null;
  if (one instanceof Uint8Array) return { bytes: one, path: '' };
  if (typeof one === 'object') {
    const { bytes, path } = one as Fields;
    const name = typeof path === 'string' ? path : '';
    if (bytes instanceof Uint8Array) return { bytes, path: name };
    if (name) return pictureOf(name);
    throw new RowError('its picture is neither a file nor a path');
  }
  if (typeof one !== 'string') throw new RowError('"image" is not a path');
  if (/^data:/i.test(one)) throw new RowError('its picture stands in the row as data:; give it as a file');
  if (/^[a-z][a-z+.-]+:/i.test(one)) throw new RowError('"image" is an address; only files that came along are read');
  return { path: one };
}

function onlyOne(list: unknown[]): unknown {
  if (list.length > 1) throw new RowError(`it has ${list.length} pictures; a record takes one`);
  return list[0];
}

/** Of a cell: numbers and the first of several right answers too. */
function plainText(value: unknown): string | null {
  if (Array.isArray(value)) return plainText(value[0]);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return null;
}

function isHeldOut(value: unknown): boolean {
  return (
    value === true || /^(true|1|yes|test|val|valid|validation|eval|dev|held[ _-]?out)$/i.test(plainText(value) ?? '')
  );
}

function checkSizes(turns: readonly Turn[]): void {
  for (const [i, { value }] of turns.entries()) {
    if (typeof value === 'string' && value.length > MOST_TURN_CHARACTERS)
      throw new RowError(`turn ${i + 1} has ${value.length} characters`);
  }
}
