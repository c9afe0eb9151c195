export interface CsvRow {
  /** Line of the file in which the row begins, from 1. */
  line: number;
  cells: string[];
}

/**
 * Rows of a CSV file (RFC 4180); the delimiter is the comma, semicolon or tab that the first line has most of. Blank
 * lines are left out; cells are not trimmed. A quoted cell that never ends takes the rest of the file, as one row.
 */
export function* parseCsv(text: string): Generator<CsvRow> {
  const body = text.replace(/^\ufeff/, '');
  const delimiter = delimiterOf(body);
  let cells: string[] = [];
  let cell = '';
  let line = 1;
  let first = 1;
  for (let at = 0; at <= body.length; at++) {
    const char = body[at];
    if (char === '"' && cell === '') {
      const [quoted, end] = quotedCell(body, at + 1);
      cell = quoted;
      line += quoted.split('\n').length - 1;
      at = end;
    } else if (char === delimiter) {
      cells.push(cell);
      cell = '';
    } else if (char === '\n' || char === undefined) {
      cells.push(cell.endsWith('\r') ? cell.slice(0, -1) : cell);
      if (cells.some((one) => one !== '')) yield { line: first, cells };
      cells = [];
      cell = '';
      line += 1;
      first = line;
    } else {
      cell += char;
    }
  }
}

/** The cell that begins at `start`, behind its quote, and the place of its closing quote. */
function quotedCell(body: string, start: number): [cell: string, end: number] {
  let end = start;
  for (;;) {
    const quote = body.indexOf('"', end);
    if (quote < 0) return [body.slice(start).replaceAll('""', '"'), body.length - 1];
    if (body[quote + 1] !== '"') return [body.slice(start, quote).replaceAll('""', '"'), quote];
    end = quote + 2;
  }
}

function delimiterOf(body: string): string {
  const line = body.slice(0, (body.indexOf('\n') + 1 || body.length + 1) - 1);
  const counts = [',', ';', '\t'].map((char) => ({ char, count: line.split(char).length }));
  return counts.reduce((best, one) => (one.count > best.count ? one : best)).char;
}
