import type { JsonRow } from '../json-rows.ts';
import { guessMapping } from './columns.ts';
import { type Fields, isFields } from './row-error.ts';

/** Under these names an object holds a file's rows, most telling first: of published files and of Hugging Face's API. */
const LISTS = ['data', 'rows', 'records', 'examples', 'samples', 'items', 'annotations', 'questions', 'train', 'instances'];

/**
 * The rows of a JSON file: one object that holds them in a list, as SQuAD's and DocVQA's files do, or in lists by column, gives
 * its rows; a row that Hugging Face's API wraps is unwrapped.
 */
export function rowsIn(rows: JsonRow[]): JsonRow[] {
  const [only] = rows;
  const list = rows.length === 1 && isFields(only?.value) ? (listIn(only.value) ?? columnsIn(only.value)) : null;
  const all = list ? list.map((value, i) => ({ row: `record ${i + 1}`, value })) : rows;
  return all.map(({ row, value }) => ({ row, value: isFields(value) && isFields(value.row) && 'row_idx' in value ? value.row : value }));
}

function listIn(fields: Fields): unknown[] | null {
  const { conversations, answer } = guessMapping(Object.keys(fields));
  if (conversations !== null || answer !== null) return null;
  const isRows = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isFields);
  const named = LISTS.find((name) => Object.hasOwn(fields, name) && isRows(fields[name]));
  const lists = named === undefined ? Object.keys(fields).filter((name) => isRows(fields[name])) : [named];
  return lists.length === 1 ? (fields[lists[0]!] as unknown[]) : null;
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
