import type { JsonRow } from '../json-rows.ts';
import { guessMapping } from './columns.ts';
import { type Fields, isFields } from './row-error.ts';
import { isHeldOutName } from './sort-files.ts';

/** Under these names an object holds a file's rows, most telling first: of published files and of Hugging Face's API. */
const LISTS = ['data', 'rows', 'records', 'examples', 'samples', 'items', 'annotations', 'questions', 'instances'];
/** Of Hugging Face's API: what the columns are. */
const DESCRIBES_COLUMNS = 'features';
const TRAIN = /^train(ing)?([-_. ]|$)/i;

export interface ListedRow extends JsonRow {
  /** It stands in a list whose name says that it is kept out of training. */
  heldOut: boolean;
}

/**
 * The rows of a JSON file: one object that holds them in a list, as SQuAD's and DocVQA's files do, in a list a split, or in lists by
 * column, gives its rows; a row that Hugging Face's API wraps is unwrapped.
 *
 * @returns the rows, and names of further lists of objects that are not read
 */
export function rowsIn(rows: JsonRow[]): { rows: ListedRow[]; unread: string[] } {
  const [only] = rows;
  const whole = rows.length === 1 && isFields(only?.value) ? only.value : null;
  const lists = whole && listsIn(whole);
  const columns = whole && !lists ? columnsIn(whole) : null;
  const all =
    lists?.rows ??
    columns?.map((value, i) => ({ row: `record ${i + 1}`, value, heldOut: false })) ??
    rows.map((row) => ({ ...row, heldOut: false }));
  const unwrapped = all.map((row) =>
    isFields(row.value) && isFields(row.value.row) && 'row_idx' in row.value ? { ...row, value: row.value.row } : row,
  );
  return { rows: unwrapped, unread: lists?.unread ?? [] };
}

function listsIn(fields: Fields): { rows: ListedRow[]; unread: string[] } | null {
  const { conversations, answer } = guessMapping(Object.keys(fields));
  if (conversations !== null || answer !== null) return null;
  const lists = Object.keys(fields).filter((name) => isRows(fields[name]));
  const named = LISTS.find((name) => lists.includes(name));
  const splits = lists.filter((name) => TRAIN.test(name) || isHeldOutName(name));
  const read = named !== undefined ? [named] : splits.length > 0 ? splits : lists;
  if (read.length !== 1 && read !== splits) return null;
  // As with files: those named so are kept out of training where others are not.
  const areSplit = read.length > 1 && !read.every(isHeldOutName);
  const rows = read.flatMap((name) =>
    (fields[name] as unknown[]).map((value, i) => ({
      row: read.length > 1 ? `${name}, record ${i + 1}` : `record ${i + 1}`,
      value,
      heldOut: areSplit && isHeldOutName(name),
    })),
  );
  return { rows, unread: lists.filter((name) => !read.includes(name) && name !== DESCRIBES_COLUMNS) };
}

function isRows(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isFields);
}

/** As pandas writes a table: an object of columns, each a list or an object of the rows' cells. */
function columnsIn(fields: Fields): unknown[] | null {
  const columns = Object.entries(fields);
  const [first] = columns.map(([, cells]) => cells);
  if (columns.length < 2 || typeof first !== 'object' || first === null || first instanceof Uint8Array) return null;
  const keys = Object.keys(first);
  const isTable = keys.length > 0 && columns.every(([, cells]) => isColumn(cells, Array.isArray(first), keys));
  return isTable ? keys.map((key) => Object.fromEntries(columns.map(([name, cells]) => [name, (cells as Fields)[key]]))) : null;
}

/** Cells of the same rows: plain values, so that one row with lists in it is not taken for a table. */
function isColumn(cells: unknown, isList: boolean, keys: readonly string[]): boolean {
  if (typeof cells !== 'object' || cells === null || Array.isArray(cells) !== isList) return false;
  const own = Object.keys(cells);
  return own.length === keys.length && keys.every((key) => Object.hasOwn(cells, key) && typeof (cells as Fields)[key] !== 'object');
}
