import { readZip } from '../../files/read-zip.ts';
import type { ImportLimits } from '../limits.ts';
import type { ImportProblem } from '../types.ts';
import type { SourceFile } from './source-file.ts';

/**
 * The files of a zip that can be taken, and why others cannot.
 *
 * @throws NvlmError `bad-data` when it is no zip, is damaged, or declares more than fits here
 */
export async function zippedFiles(zip: SourceFile, limits: ImportLimits): Promise<{ files: SourceFile[]; problems: ImportProblem[] }> {
  const files: SourceFile[] = [];
  const problems: ImportProblem[] = [];
  for (const { path, size, obstacle, read } of await readZip(zip, limits)) {
    if (isClutter(path)) continue;
    const reason = leavesFolder(path) ? 'its path leaves the archive' : obstacle;
    if (reason) problems.push({ where: `${zip.path}: ${path}`, reason });
    else files.push({ path, size, slice: async (start, end) => (await read()).subarray(start, end) });
  }
  return { files, problems };
}

function leavesFolder(path: string): boolean {
  return /^(\/|[a-z]:)/i.test(path) || path.split('/').includes('..');
}

/** What systems leave in archives and folders. */
export function isClutter(path: string): boolean {
  return path.split('/').some((part) => part === '__MACOSX' || /^\.[^.]/.test(part) || part === 'Thumbs.db');
}
