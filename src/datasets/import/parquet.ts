import { parquetMetadataAsync, parquetReadObjects, parquetSchema, type FileMetaData, type SchemaTree } from 'hyparquet';
import { NvlmError } from '../../errors.ts';
import { badFile } from '../limits.ts';
import { codecsOf } from './parquet-codecs.ts';
import { checkPages } from './parquet-pages.ts';
import type { SourceFile } from './source-file.ts';

/** Read at once: rows of a group share their pages. */
const MOST_GROUP_BYTES = 512 * 2 ** 20;
const MOST_GROUPS = 10_000;

export interface Parquet {
  columns: string[];
  rows: number;
  /** Rows of the given columns; class numbers are given by their names. */
  read(columns: string[]): AsyncGenerator<Record<string, unknown>>;
}

/**
 * Opens a file packed by any of parquet's methods but LZO, which nothing writes.
 *
 * @throws NvlmError `bad-data` for what is damaged or encrypted
 */
export async function openParquet(file: SourceFile): Promise<Parquet> {
  const buffer = {
    byteLength: file.size,
    slice: async (start: number, end = file.size) => exactBuffer(await file.slice(start < 0 ? file.size + start : start, end)),
  };
  const { metadata, columns } = await explained(file, async () => {
    const read = await parquetMetadataAsync(buffer);
    const names = parquetSchema(read).children.map(({ element }) => element.name);
    if (!names.every((name) => typeof name === 'string')) throw new RangeError('a column has no name');
    return { metadata: read, columns: names };
  });
  const classes = classNames(metadata);
  return {
    columns,
    rows: Number(metadata.num_rows),
    async *read(wanted) {
      if (metadata.row_groups.length > MOST_GROUPS) throw badFile(file.path, 'it has too many row groups');
      const compressors = await codecsOf(metadata);
      let first = 0;
      for (const group of metadata.row_groups) {
        const count = Number(group.num_rows);
        const rows = await explained(file, async () => {
          const chunks = group.columns
            .flatMap(({ meta_data: chunk }) => chunk ?? [])
            .filter(({ path_in_schema: [name] }) => wanted.includes(name!));
          const bytes = chunks.reduce((sum, { total_uncompressed_size: size }) => sum + Number(size), 0);
          if (!(count >= 0 && bytes >= 0 && bytes <= MOST_GROUP_BYTES))
            throw new RangeError(`a row group has ${Math.round(bytes / 2 ** 20)} MiB; write it with smaller ones`);
          const range = { rowStart: first, rowEnd: first + count };
          // Before any column is read: the reader begins with all of them, and what fails in one must not leave others to nobody.
          for (const { path_in_schema: path } of chunks) requireLeaf(metadata, path);
          await Promise.all(
            chunks.map(async (chunk) => {
              const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
              checkPages(new Uint8Array(await buffer.slice(start, start + Number(chunk.total_compressed_size))), start, chunk);
            }),
          );
          return parquetReadObjects({ file: buffer, metadata, columns: wanted, compressors, ...range, utf8: false });
        });
        for (const row of rows) yield named(row, classes);
        first += count;
      }
    },
  };
}

/** @throws RangeError when the file's directory has a column that its schema does not */
function requireLeaf(metadata: FileMetaData, path: readonly string[]): void {
  let node: SchemaTree | undefined = parquetSchema(metadata);
  for (const part of path) node = node?.children.find(({ element }) => element.name === part);
  if (!node || node.children.length > 0) throw new RangeError(`its schema has no column ${path.join('.')}`);
}

async function explained<T>(file: SourceFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof NvlmError) throw cause;
    throw badFile(file.path, (cause as Error).message.slice(0, 200) || 'it is damaged', cause);
  }
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}

/** Names of class numbers, as Hugging Face's `datasets` leaves them in the file. */
function classNames({ key_value_metadata: entries = [] }: FileMetaData): Map<string, string[]> {
  const classes = new Map<string, string[]>();
  try {
    const text = entries.find(({ key }) => key === 'huggingface')?.value ?? '{}';
    const { info } = JSON.parse(text) as { info?: { features?: Record<string, { names?: unknown } | null> } };
    for (const [column, feature] of Object.entries(info?.features ?? {}))
      if (Array.isArray(feature?.names)) classes.set(column, feature.names.map(String));
  } catch {
    // Without names the numbers themselves are the labels.
  }
  return classes;
}

function named(row: Record<string, unknown>, classes: Map<string, string[]>): Record<string, unknown> {
  for (const [column, names] of classes) {
    const value = row[column];
    if (typeof value === 'bigint' || typeof value === 'number') row[column] = names[Number(value)] ?? String(value);
  }
  return row;
}
