import { pathParts } from './file-path.ts';

/**
 * The origin private file system (OPFS), the one place where this browser's files are opened: downloaded models in one
 * folder (`blobs/`, large files that are resumed), datasets, runs and adapters in the other (`opfs-folder.ts`). Rules for all of them:
 *
 * - A folder is opened anew for every use: a handle is of no use any more once somebody has cleared the site's data.
 * - What is missing is null, not an error: another tab may have removed it a moment ago.
 * - Storage can be there and still refuse (private windows, blocked site data), so whoever opens it writes a probe first.
 */
export const PRIVATE_FOLDERS = { models: 'nvlm-models', page: 'nvlm-playground' } as const;

/** Opens a folder of the private storage, anew each time. */
export type OpenPrivateFolder = () => Promise<FileSystemDirectoryHandle>;

/** Some browsers have none, whatever the types say. */
export function hasPrivateStorage(): boolean {
  return (navigator.storage as Partial<StorageManager> | undefined)?.getDirectory !== undefined;
}

/** @throws DOMException or TypeError where there is no such storage */
export function privateFolder(name: string): OpenPrivateFolder {
  return async () => (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
}

/**
 * The folder that holds `path`, and the name in it; null when a folder on the way is missing.
 *
 * @param create makes the folders on the way
 */
export async function placeOf(
  open: OpenPrivateFolder,
  path: string,
  create: boolean,
): Promise<[folder: FileSystemDirectoryHandle, name: string] | null> {
  const parts = pathParts(path);
  const name = parts.pop()!;
  let folder = await open();
  try {
    for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
  } catch (error) {
    if (!create && isMissing(error)) return null;
    throw error;
  }
  return [folder, name];
}

/** The file, whose bytes are read from disk as they are wanted; null when there is none. */
export async function fileAt(open: OpenPrivateFolder, path: string): Promise<File | null> {
  const place = await placeOf(open, path, false);
  if (!place) return null;
  try {
    return await (await place[0].getFileHandle(place[1])).getFile();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Removes a file, or a folder and all that is in it; nothing happens when it is gone already. */
export async function removeEntry(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await folder.removeEntry(name, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Paths of all files below a folder; not those of a folder that another tab deletes at this moment. */
export async function* filesBelow(folder: FileSystemDirectoryHandle, prefix = ''): AsyncGenerator<string> {
  try {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'directory') yield* filesBelow(handle as FileSystemDirectoryHandle, `${prefix}${name}/`);
      else yield prefix + name;
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError');
}
