import { NvlmError } from '../errors.ts';

export interface JsonRow {
  /** Where it stood, e.g. `line 3`. */
  row: string;
  value: unknown;
}

/** A row that is not JSON, and why. */
export interface BrokenRow {
  row: string;
  reason: string;
}

/** Values that go over several lines are looked for behind so many lines that are no JSON by themselves; each costs a look ahead. */
const MOST_LOOKS_AHEAD = 20;
/** The longest value that is put together from lines. */
const MOST_LOOKED_AT = 2 ** 24;

/**
 * Rows of a JSON array, of JSONL, of one object or of several, written on one line each or on many; `NaN` and `Infinity`, which
 * Python writes, count as null.
 *
 * @throws NvlmError `bad-data` for an array that is not JSON
 */
export function jsonRows(text: string): { rows: JsonRow[]; problems: BrokenRow[] } {
  const body = text.replace(/^\ufeff/, '').trimEnd();
  if (/^\s*\[/.test(body)) {
    const list = parseJson(body);
    if (!Array.isArray(list)) throw notJson(body);
    return { rows: list.map((value: unknown, i) => ({ row: `record ${i + 1}`, value })), problems: [] };
  }
  return linesOf(body);
}

function linesOf(body: string): { rows: JsonRow[]; problems: BrokenRow[] } {
  const rows: JsonRow[] = [];
  const problems: BrokenRow[] = [];
  let looks = 0;
  for (let start = 0, line = 1; start < body.length; ) {
    let end = lineEnd(body, start);
    let value = parseJson(body.slice(start, end));
    if (value === undefined && /^\s*[[{]/.test(body.slice(start, end)) && looks < MOST_LOOKS_AHEAD) {
      const last = valueEnd(body, start);
      const isWhole = last > end && body.slice(last, lineEnd(body, last)).trim() === '';
      looks = isWhole ? 0 : looks + 1;
      if (isWhole) {
        value = parseJson(body.slice(start, last));
        end = lineEnd(body, last);
      }
    }
    const row = `line ${line}`;
    if (value !== undefined) rows.push({ row, value });
    else if (body.slice(start, end).trim() !== '') problems.push({ row, reason: 'it is not JSON' });
    line += body.slice(start, end + 1).split('\n').length - 1;
    start = end + 1;
  }
  return { rows, problems };
}

function lineEnd(body: string, from: number): number {
  const at = body.indexOf('\n', from);
  return at < 0 ? body.length : at;
}

/** One past the end of the object or list that begins in the text at `start`; `start` where it never ends. */
function valueEnd(body: string, start: number): number {
  const marks = /["[\]{}]/g;
  marks.lastIndex = start;
  let depth = 0;
  for (let found = marks.exec(body); found && found.index - start < MOST_LOOKED_AT; found = marks.exec(body)) {
    if (found[0] === '"') marks.lastIndex = stringEnd(body, found.index);
    else if (found[0] === '{' || found[0] === '[') depth += 1;
    else if (--depth === 0) return found.index + 1;
  }
  return start;
}

/** One past the closing quote of the string whose opening quote stands at `at`. */
function stringEnd(body: string, at: number): number {
  for (let i = at + 1; ; ) {
    const quote = body.indexOf('"', i);
    if (quote < 0) return body.length;
    let slashes = 0;
    while (body[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    i = quote + 1;
  }
}

/** The value; undefined for what is not JSON. Python's `NaN` and infinities are read as null. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (!/NaN|Infinity/.test(text)) return undefined;
    try {
      return JSON.parse(withoutNaN(text));
    } catch {
      return undefined;
    }
  }
}

/** With `null` for every NaN and infinity outside of strings. */
function withoutNaN(text: string): string {
  const parts: string[] = [];
  const marks = /"|-?Infinity\b|NaN\b/g;
  let from = 0;
  for (let found = marks.exec(text); found; found = marks.exec(text)) {
    if (found[0] === '"') marks.lastIndex = stringEnd(text, found.index);
    else {
      parts.push(text.slice(from, found.index), 'null');
      from = marks.lastIndex;
    }
  }
  return parts.join('') + text.slice(from);
}

function notJson(body: string): NvlmError {
  let cause: unknown;
  try {
    JSON.parse(withoutNaN(body));
  } catch (error) {
    cause = error;
  }
  return new NvlmError('bad-data', `The data is not JSON: ${(cause as Error).message}.`, 'Correct the file, or make it again.', { cause });
}
