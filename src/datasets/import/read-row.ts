import { IMAGE_PLACEHOLDER } from '../../text/image-placeholder.ts';
import { misplacedPicture, readRecord } from '../llava.ts';
import type { ColumnMapping, DatasetRecord } from '../types.ts';
import { answerText, choicesOf, chosen, plainText, withChoices } from './answers.ts';
import { guessMapping } from './columns.ts';
import { type Fields, isEmpty, isFields, RowError } from './row-error.ts';
import { picturesOf, type RowPicture } from './row-picture.ts';
import { question, turnsOf, type ReadTurns, type Turn } from './turns.ts';

/** A row that was understood; its record names no picture of the dataset yet. */
export interface ReadRow {
  record: DatasetRecord;
  picture: RowPicture | null;
  /** What of the row the record does not hold: names of fields, and further answers. */
  unread: string[];
}

export interface RowOptions {
  /** null: by the row's own names. */
  mapping: ColumnMapping | null;
  /** Asked about a picture whose row has no question. */
  fixedQuestion?: string;
}

/** What formats write where a picture stands, besides LLaVA's: Qwen-VL, Phi-3, MMMU, Llama 3.2, Gemma, LLaVA's own code. */
const OTHER_PLACEHOLDERS =
  /<\|vision_start\|><\|image_pad\|><\|vision_end\|>|<\|image_\d+\|>|<image[_ ]?\d+>|<\|image\|>|<start_of_image>|<ImageHere>/g;

/**
 * Brings one row of any source into LLaVA's form and through its reader. Understood are lists of turns (see {@link turnsOf}),
 * plain columns of questions and answers, and Alpaca's `instruction`, `input`, `history` and `system`.
 *
 * @param name of a row without an id
 */
export function readRow(
  value: unknown,
  name: string,
  { mapping, fixedQuestion }: RowOptions = { mapping: null },
): ReadRow | { reason: string } {
  if (!isFields(value)) return { reason: 'it is not an object' };
  try {
    return read(value, name, mapping ?? mappingOf(value, fixedQuestion));
  } catch (error) {
    if (error instanceof RowError) return { reason: error.message };
    throw error;
  }
}

/** By the names of what is not empty; an empty list of turns still is one, that waits for its turns. */
function mappingOf(fields: Fields, fixedQuestion: string | undefined): ColumnMapping {
  const names = Object.keys(fields);
  const filled = guessMapping(
    names.filter((name) => !isEmpty(fields[name])),
    fixedQuestion,
  );
  if (filled.conversations !== null || filled.answer !== null) return filled;
  return { ...filled, conversations: guessMapping(names).conversations };
}

function read(fields: Fields, name: string, columns: ColumnMapping): ReadRow | { reason: string } {
  for (const [key, held] of Object.entries(fields))
    if (/^(video|audio)s?$/i.test(key) && !isEmpty(held)) throw new RowError(`it has ${JSON.stringify(key)}: only pictures are read`);
  const of = (column: string | null): unknown => (column === null || !Object.hasOwn(fields, column) ? undefined : fields[column]);
  const beside = picturesOf(of(columns.image));
  const unread = new Set<string>();
  const { turns, pictures } = conversationOf(columns, of, lettered(Object.keys(fields)), beside.length > 0, unread);
  const picture = onePicture([...beside, ...pictures]);
  const record = readRecord(
    {
      id: plainText(of(columns.id)) ?? name,
      // A stand-in that the reader takes; the caller puts the dataset's own path in its place.
      ...(picture && { image: 'picture' }),
      task: plainText(of(columns.task)) ?? undefined,
      held_out: isHeldOut(of(columns.split)),
      conversations: picture ? withOnePlaceholder(turns) : turns,
    },
    name,
    // A picture still without an answer is worth keeping: the answer can be written here.
    { drafts: picture !== null },
  );
  if ('reason' in record) return { reason: record.reason };
  const reason = misplacedPicture(record.messages, picture !== null);
  if (reason !== null) return { reason };
  const used = new Set(readColumns(columns, Object.keys(fields)));
  for (const key of Object.keys(fields)) if (!used.has(key) && !isEmpty(fields[key])) unread.add(key);
  return { record, picture, unread: [...unread] };
}

/** Those of a table's columns that rows are made of. */
export function readColumns({ fixedQuestion: _, ...roles }: ColumnMapping, columns: readonly string[]): string[] {
  const chosen = Object.values(roles).filter((column) => column !== null);
  return roles.choices === null && roles.answer !== null ? [...chosen, ...lettered(columns)] : chosen;
}

/** Columns `A`, `B` … that hold a choice each, as in MMBench. */
function lettered(columns: readonly string[]): string[] {
  const letters = columns.filter((column) => /^[A-J]$/.test(column));
  return letters.includes('A') && letters.includes('B') ? letters : [];
}

type Cell = (column: string | null) => unknown;

function conversationOf(
  columns: ColumnMapping,
  of: Cell,
  letters: string[],
  hasPicture: boolean,
  unread: Set<string>,
): Pick<ReadTurns, 'turns' | 'pictures'> {
  const parts = [
    ...(isEmpty(of(columns.history)) ? [] : [turnsOf(of(columns.history))]),
    ...(columns.conversations === null ? askedAndAnswered(columns, of, letters, hasPicture, unread) : [turnsOf(of(columns.conversations))]),
  ];
  for (const part of parts) for (const key of part.unread) unread.add(key);
  const turns = parts.flatMap((part) => part.turns);
  const system = of(columns.system);
  if (!isEmpty(system)) {
    const value = plainText(system);
    if (value === null) throw new RowError(`"${columns.system}" is not text`);
    if (turns[0]?.from !== 'system') turns.unshift({ from: 'system', value });
    else if (turns[0].value !== value) turns[0] = { from: 'system', value: `${value}\n\n${turns[0].value}` };
  }
  return { turns, pictures: parts.flatMap((part) => part.pictures) };
}

function askedAndAnswered(columns: ColumnMapping, of: Cell, letters: string[], hasPicture: boolean, unread: Set<string>): ReadTurns[] {
  const [asked, answered] = [of(columns.question), of(columns.answer)];
  // As TRL has it: question and answer are lists of messages themselves.
  if (isTurns(answered)) return [...(isTurns(asked) ? [turnsOf(asked)] : isEmpty(asked) ? [] : [question(asked)]), turnsOf(answered)];
  const answer = answerText(answered);
  if (answer === null) throw new RowError('it has no answer');
  if (answer.of > 1) unread.add('further answers');
  const choices = choicesOf(
    columns.choices === null ? Object.fromEntries(letters.map((letter) => [letter, of(letter)])) : of(columns.choices),
  );
  const value =
    choices.length > 0 ? chosen(answer.text, typeof answered === 'number' || typeof answered === 'bigint', choices) : answer.text;
  return [...questionTurns(columns, of, asked, choices, hasPicture), { turns: [{ from: 'gpt', value }], pictures: [], unread: new Set() }];
}

function questionTurns(
  columns: ColumnMapping,
  of: Cell,
  asked: unknown,
  choices: ReturnType<typeof choicesOf>,
  hasPicture: boolean,
): ReadTurns[] {
  if (isTurns(asked)) return [turnsOf(asked)];
  // Without a picture there is nothing that a fixed question could be about.
  const first = columns.question === null && hasPicture ? columns.fixedQuestion : plainText(asked);
  if (first === null || first.trim() === '') throw new RowError('it has no question');
  const input = of(columns.input);
  const more = isEmpty(input) ? null : plainText(input);
  if (more === null && !isEmpty(input)) throw new RowError(`"${columns.input}" is not text`);
  return [question(withChoices(more === null || more.trim() === '' ? first : `${first}\n${more}`, choices))];
}

function isTurns(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((one) => isFields(one) && ('role' in one || 'from' in one));
}

/** Of pictures that are named or held several times, the one. @throws RowError for several */
function onePicture(pictures: readonly RowPicture[]): RowPicture | null {
  const first = pictures[0] ?? null;
  const others = pictures.filter((one) => !isSame(one, first!));
  if (others.length > 0) throw new RowError(`it has ${others.length + 1} pictures; a record takes one`);
  return first;
}

function isSame(one: RowPicture, other: RowPicture): boolean {
  if ('bytes' in one && 'bytes' in other)
    return one.bytes.length === other.bytes.length && one.bytes.every((byte, i) => byte === other.bytes[i]);
  return !('bytes' in one) && !('bytes' in other) && one.path === other.path;
}

/** LLaVA's placeholder in place of another format's, where nothing else says where the picture stands. */
function withOnePlaceholder(turns: Turn[]): Turn[] {
  if (turns.some(({ from, value }) => from === 'human' && value.includes(IMAGE_PLACEHOLDER))) return turns;
  return turns.map((turn) =>
    turn.from === 'human' ? { ...turn, value: turn.value.replace(OTHER_PLACEHOLDERS, IMAGE_PLACEHOLDER) } : turn,
  );
}

function isHeldOut(value: unknown): boolean {
  return value === true || /^(true|1|yes|test|val|valid|validation|eval|dev|held[ _-]?out)$/i.test(plainText(value) ?? '');
}
