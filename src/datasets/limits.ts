import { NvlmError } from '../errors.ts';

/** What a tab can hold and a person can oversee; larger sets are for the command line. */
export const MOST_RECORDS = 20_000;
/** All pictures of a dataset. */
export const MOST_BYTES = 2 * 2 ** 30;
/** A data file that is read as a whole (JSON, JSONL, CSV). */
export const MOST_TEXT_BYTES = 64 * 2 ** 20;
export const MOST_FILES = 50_000;
/** Further ones are only counted. */
export const MOST_PROBLEMS = 200;
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
