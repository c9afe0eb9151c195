import { byPath, noRoom, pathParts } from './file-path.ts';
import type { Folder } from './folder.ts';

/** Chromium's name for what a writer has not closed. */
const UNFINISHED = '.crswap';
/** How often a file that is being replaced is asked for again. */
const MOST_TRIES = 5;

/**
 * A folder of the origin private file system, in pages and workers. `createWritable` writes beside the file and puts it
 * in its place when it is closed, so a tab that dies leaves the file as it was.
 * @param openRoot asked each time: a handle is of no use any more once somebody has cleared the site's data
 */
export function opfsFolder(openRoot: () => Promise<FileSystemDirectoryHandle>): Folder {
  /** The folder that holds `path`, and the name in it; null when a folder on the way is missing. */
  async function placeOf(path: string, create: boolean): Promise<[FileSystemDirectoryHandle, string] | null> {
    const parts = pathParts(path);
    const name = parts.pop()!;
    let folder = await openRoot();
    try {
      for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
    } catch (error) {
      if (!create && isMissing(error)) return null;
      throw error;
    }
    return [folder, name];
  }

  async function fileAt(path: string): Promise<File | null> {
    const place = await placeOf(path, false);
    if (!place) return null;
    try {
      return await (await place[0].getFileHandle(place[1])).getFile();
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async function write(
    path: string,
    parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    keepExistingData = false,
  ): Promise<void> {
    let stream: FileSystemWritableFileStream | null = null;
    try {
      const [folder, name] = (await placeOf(path, true))!;
      const handle = await folder.getFileHandle(name, { create: true });
      stream = await handle.createWritable({ keepExistingData });
      if (keepExistingData) await stream.seek((await handle.getFile()).size);
      for await (const part of parts) await stream.write(part as Uint8Array<ArrayBuffer>);
      await stream.close();
    } catch (error) {
      await stream?.abort().catch(() => undefined);
      if (error instanceof DOMException && error.name === 'QuotaExceededError')
        throw noRoom(`The browser has no room left for ${path}.`, error);
      throw error;
    }
  }

  return {
    async read(path) {
      for (let tries = 1; ; tries++) {
        const file = await fileAt(path);
        try {
          return file && new Uint8Array(await file.arrayBuffer());
        } catch (error) {
          // It was replaced since it was opened.
          if (!(error instanceof DOMException) || error.name !== 'NotReadableError' || tries === MOST_TRIES) throw error;
        }
      }
    },

    write: (path, bytes) => write(path, [bytes]),
    writeParts: (path, parts) => write(path, parts),
    append: (path, text) => write(path, [new TextEncoder().encode(text)], true),

    async list(path) {
      const found: { path: string; bytes: number }[] = [];
      const walk = async (folder: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
        for await (const [name, handle] of folder.entries()) {
          if (handle.kind === 'directory') await walk(handle as FileSystemDirectoryHandle, `${prefix}${name}/`);
          else if (!name.endsWith(UNFINISHED)) {
            // Removed or replaced while the folder is walked.
            const file = await fileAt(prefix + name).catch(() => null);
            if (file) found.push({ path: prefix + name, bytes: file.size });
          }
        }
      };
      if (path === undefined) await walk(await openRoot(), '');
      else {
        const file = await fileAt(path);
        const place = file ? null : await placeOf(path, false);
        const folder = place && (await place[0].getDirectoryHandle(place[1]).catch(() => null));
        if (file) found.push({ path, bytes: file.size });
        if (folder) await walk(folder, `${path}/`);
      }
      return found.sort(byPath);
    },

    async remove(path) {
      const place = await placeOf(path, false);
      if (!place) return;
      try {
        await place[0].removeEntry(place[1], { recursive: true });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError');
}
