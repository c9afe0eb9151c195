import { NvlmError } from '../errors.ts';

/** What is read at most, so that a hostile or huge file cannot fill memory. */
export interface ImportLimits {
  records: number;
  /** Bytes of all pictures that stand in rows, and of what an archive unpacks to. */
  bytes: number;
  /** Bytes of a data file that is read as a whole (JSON, JSONL, CSV). */
  textBytes: number;
  files: number;
  /** So many problems are listed; further ones are only counted. */
  problems: number;
}

/** What a tab can hold and a person can oversee. */
export const PAGE_LIMITS: ImportLimits = { records: 20_000, bytes: 2 * 2 ** 30, textBytes: 64 * 2 ** 20, files: 50_000, problems: 200 };
export const COMMAND_LINE_LIMITS: ImportLimits = {
  records: 1_000_000,
  bytes: 4 * 2 ** 30,
  textBytes: 256 * 2 ** 20,
  files: 1_000_000,
  problems: 10_000,
};

/** All of a dataset's pictures in the page. */
export const MOST_BYTES = PAGE_LIMITS.bytes;
export const MOST_RECORDS = PAGE_LIMITS.records;
export const MOST_TURN_CHARACTERS = 100_000;
export const MOST_TURNS = 400;

export function tooLarge(what: string, limit: string): NvlmError {
  return new NvlmError('bad-data', `${what}.`, `At most ${limit} fit here: take a part of it, or use \`nvlm train\`.`);
}

export function badFile(path: string, reason: string, cause?: unknown): NvlmError {
  return new NvlmError('bad-data', `“${path}” cannot be read: ${reason}.`, 'Make or download the file again.', {
    cause,
  });
}
