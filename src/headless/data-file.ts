import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataProblem } from '../datasets/llava.ts';
import { NvlmError } from '../errors.ts';
import type { Context } from './command.ts';

/** Further ones are only counted. */
const MOST_PROBLEMS_LISTED = 20;

/** A LLaVA file, or the one in a folder. @throws NvlmError `not-found` */
export async function dataFile(data: string): Promise<string> {
  const found = await stat(data).catch(() => null);
  if (found?.isFile()) return data;
  for (const name of found ? ['data.json', 'data.jsonl'] : []) {
    const file = join(data, name);
    if ((await stat(file).catch(() => null))?.isFile()) return file;
  }
  throw new NvlmError(
    'not-found',
    found ? `There is neither data.json nor data.jsonl in "${data}".` : `There is no folder "${data}".`,
    'Name a folder that `nvlm data desk` made, or a LLaVA JSON or JSONL file.',
  );
}

export function warnOfProblems(problems: readonly DataProblem[], { warn }: Context): void {
  for (const { id, reason } of problems.slice(0, MOST_PROBLEMS_LISTED)) warn(`left out ${id}: ${reason}`);
  const more = problems.length - MOST_PROBLEMS_LISTED;
  if (more > 0) warn(`left out ${more} more`);
}
