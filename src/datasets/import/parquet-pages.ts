import type { ColumnMetaData, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';

/**
 * Holds the pages of a column to what the file's directory says of it: their reader believes the counts in their headers,
 * and a damaged one would keep it busy, or filling memory, for ever.
 *
 * @param bytes of the file from `offset` on
 * @throws RangeError for a page that its column cannot have
 */
export function checkPages(bytes: Uint8Array, offset: number, column: ColumnMetaData): void {
  const start = Number(column.dictionary_page_offset || column.data_page_offset) - offset;
  const end = start + Number(column.total_compressed_size);
  // A column that is read in parts: those of the pages that are asked for.
  if (!(start >= 0 && start < end && end <= bytes.length)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  // Thrift headers count in the one and not in the other, depending on who wrote the file.
  const mostBytes = Number(column.total_uncompressed_size) + Number(column.total_compressed_size);
  const reader = { view, offset: start };
  let unpacked = 0;
  let values = 0;
  while (reader.offset < end - 1 && values < Number(column.num_values)) {
    const header = parquetHeader(reader);
    const size = header.uncompressed_page_size;
    const packed = header.compressed_page_size;
    if (!(packed >= 0 && reader.offset + packed <= end && size >= 0 && (unpacked += size) <= mostBytes)) throw damaged();
    const count = countOf(header, packed);
    if (header.type === 'DICTIONARY_PAGE') {
      // A value has a byte, but that bits are eight to one.
      if (!(count >= 0 && count <= 8 * size)) throw damaged();
    } else if (!(count >= 0 && (values += count) <= Number(column.num_values))) throw damaged();
    reader.offset += packed;
  }
}

/** NaN for a header that contradicts itself. */
function countOf(header: PageHeader, packed: number): number {
  const { data_page_header: first, data_page_header_v2: second, dictionary_page_header: dictionary } = header;
  if (!second) return (first ?? dictionary)?.num_values ?? NaN;
  const levels = [second.definition_levels_byte_length, second.repetition_levels_byte_length];
  const [definitions, repetitions] = levels as [number, number];
  const isWhole = definitions >= 0 && repetitions >= 0 && definitions + repetitions <= packed;
  const { num_values: values, num_nulls: nulls, num_rows: rows } = second;
  return isWhole && nulls >= 0 && nulls <= values && rows >= 0 && rows <= values ? values : NaN;
}

function damaged(): RangeError {
  return new RangeError('a page is damaged: its sizes do not fit its column');
}
