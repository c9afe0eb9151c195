import { NvlmError } from '../errors.ts';

/**
 * The parts of a path inside a folder.
 *
 * @throws NvlmError `usage` for a path that is empty, absolute or would leave the folder
 */
export function pathParts(path: string): string[] {
  const parts = path.split('/');
  if (path.length <= 1024 && parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\\0]/.test(part))) return parts;
  throw new NvlmError(
    'usage',
    `${JSON.stringify(path.slice(0, 80))} is not the name of a file inside a folder.`,
    'Give the file a plain relative name.',
  );
}

/** Whether `path` is the file `folder` itself or lies in that folder; everything lies in undefined. */
export function isBelow(path: string, folder: string | undefined): boolean {
  return folder === undefined || path === folder || path.startsWith(`${folder}/`);
}

/** The order of {@link Folder.list}: of the names' code units, the same everywhere. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
