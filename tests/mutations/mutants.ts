/** The lists of mutants beside this file: what they hold, how they are read and what is wrong with them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** One fault, put into one line of the code, that the tests nearest to it must see. */
export interface Mutant {
  /** What goes wrong for a user or for a number, in a few words. */
  fault: string;
  /** The file that gets it, from the root. */
  file: string;
  /** A piece of one line that stands in the file exactly once. */
  find: string;
  replace: string;
  /** The nearest test files, from the root; the first failure ends the run. */
  tests: string[];
  /** Run only the tests whose full name fits this regular expression, for speed. */
  only?: string;
}

const folder = fileURLToPath(new URL('./', import.meta.url));

/** The mutants of every list, `*.json` beside this file, in the order of the lists' names. */
export function readMutants(): Mutant[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Mutant[]);
}

/** The file's text with the fault in it. @throws Error when the text to find is not there exactly once, or nothing is left that parses */
export function mutate(source: string, { file, find, replace }: Mutant): string {
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`${file} has ${JSON.stringify(find)} ${places} times, not once`);
  if (find.includes('\n')) throw new Error(`${file}: ${JSON.stringify(find)} is more than a line`);
  if (find === replace) throw new Error(`${file}: ${JSON.stringify(find)} is replaced by itself`);
  // A function, so that `$` in the text means itself.
  const mutated = source.replace(find, () => replace);
  const kind = file.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const parsed = ts.createSourceFile(file, mutated, ts.ScriptTarget.Latest, false, kind) as ts.SourceFile & { parseDiagnostics: unknown[] };
  if (parsed.parseDiagnostics.length > 0) throw new Error(`${file} does not parse with ${JSON.stringify(replace)}`);
  return mutated;
}
