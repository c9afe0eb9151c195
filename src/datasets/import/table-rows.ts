import { badFile, type ImportLimits } from '../limits.ts';
import { jsonRows } from '../json-rows.ts';
import type { ColumnMapping, TableDescription } from '../types.ts';
import { guessMapping } from './columns.ts';
import { parseCsv } from './csv.ts';
import { openParquet } from './parquet.ts';
import type { Notes, Problems } from './problems.ts';
import { readColumns, readRow, type ReadRow, type RowOptions } from './read-row.ts';
import { rowsIn } from './row-list.ts';
import { extensionOf, readText, type SourceFile } from './source-file.ts';

/** A row of a data file, and what it was read as. */
export interface NamedRow {
  /** Where it stands in the file, e.g. `line 3`. */
  name: string;
  /** Rows of the file; 0 = not known. */
  total: number;
  read: ReadRow | { reason: string };
}

export interface RowsOptions extends RowOptions {
  limits: ImportLimits;
  problems: Problems;
  notes: Notes;
}

/** The rows of a JSON, JSONL, CSV or parquet file. @throws NvlmError `bad-data` when nothing of it can be read */
export async function* rowsOf(file: SourceFile, options: RowsOptions): AsyncGenerator<NamedRow> {
  const extension = extensionOf(file.path);
  if (extension === 'parquet') yield* parquetRows(file, options);
  else if (extension === 'csv' || extension === 'tsv') yield* csvRows(file, options);
  else yield* listedRows(file, options);
}

/** A CSV or parquet file's columns, as their names say what they are. */
export async function describeTable(file: SourceFile, limits: ImportLimits): Promise<TableDescription> {
  if (extensionOf(file.path) === 'parquet') {
    const { columns, rows } = await openParquet(file);
    return { path: file.path, columns, rows, mapping: guessMapping(columns) };
  }
  const columns = headerOf(parseCsv(await readText(file, limits.textBytes)));
  return { path: file.path, columns, rows: null, mapping: guessMapping(columns) };
}

async function* listedRows(file: SourceFile, { limits, problems, notes, fixedQuestion }: RowsOptions): AsyncGenerator<NamedRow> {
  const read = jsonRows(await readText(file, limits.textBytes));
  for (const { row, reason } of read.problems) problems.add(`${file.path}, ${row}`, reason);
  const { rows, unread } = rowsIn(read.rows);
  notes.unread(file.path, unread);
  // Columns that a person assigned are those of tables; a JSON row says by itself what it is.
  for (const { row, value, heldOut } of rows) {
    const one = readRow(value, row, { mapping: null, fixedQuestion });
    if (heldOut && 'record' in one) one.record.heldOut = true;
    yield { name: row, total: rows.length, read: one };
  }
}

async function* parquetRows(file: SourceFile, options: RowsOptions): AsyncGenerator<NamedRow> {
  const { columns, rows, read } = await openParquet(file);
  const mapping = usable(columns, file.path, options);
  const wanted = readColumns(mapping, columns);
  const unread = columns.filter((column) => !wanted.includes(column));
  let row = 0;
  for await (const value of read(wanted)) {
    row += 1;
    const name = `row ${row}`;
    yield { name, total: rows, read: readRow(value, name, { mapping }) };
    options.notes.unread(file.path, unread);
  }
}

async function* csvRows(file: SourceFile, options: RowsOptions): AsyncGenerator<NamedRow> {
  const rows = parseCsv(await readText(file, options.limits.textBytes));
  const columns = headerOf(rows);
  const mapping = usable(columns, file.path, options);
  for (const { line, cells } of rows) {
    const name = `line ${line}`;
    const read =
      cells.length === columns.length
        ? readRow(Object.fromEntries(columns.map((column, i) => [column, cells[i]])), name, { mapping })
        : { reason: `it has ${cells.length} cells; the header has ${columns.length}` };
    yield { name, total: 0, read };
  }
}

/** Columns of the same name are told apart by their number. */
function headerOf(rows: Generator<{ cells: string[] }>): string[] {
  const { cells = [] } = (rows.next().value ?? {}) as { cells?: string[] };
  const seen = new Map<string, number>();
  return cells.map((cell) => {
    const count = (seen.get(cell) ?? 0) + 1;
    seen.set(cell, count);
    return count === 1 ? cell : `${cell} (${count})`;
  });
}

function usable(columns: string[], path: string, { mapping, fixedQuestion }: RowsOptions): ColumnMapping {
  const chosen = mapping ?? guessMapping(columns, fixedQuestion);
  if (chosen.answer !== null || chosen.conversations !== null) return chosen;
  throw badFile(path, `none of its columns holds answers (${columns.slice(0, 12).join(', ')}); say which does`);
}
