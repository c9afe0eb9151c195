import { byPath } from './file-path.ts';
import type { Folder } from './folder.ts';
import { fileAt, filesBelow, placeOf, removeEntry, type OpenPrivateFolder } from './private-storage.ts';
import { isFull, noRoom } from './quota.ts';

/** Chromium's name for what a writer has not closed. */
const UNFINISHED = '.crswap';
/** How often a file that is being replaced is asked for again. */
const MOST_TRIES = 5;

/**
 * A folder of the origin private file system, in pages and workers. `createWritable` writes beside the file and puts it
 * in its place when it is closed, so a tab that dies leaves the file as it was.
 */
export function opfsFolder(open: OpenPrivateFolder): Folder {
  async function write(path: string, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, keepExistingData = false): Promise<void> {
    let stream: FileSystemWritableFileStream | null = null;
    try {
      const [folder, name] = (await placeOf(open, path, true))!;
      const handle = await folder.getFileHandle(name, { create: true });
      stream = await handle.createWritable({ keepExistingData });
      if (keepExistingData) await stream.seek((await handle.getFile()).size);
      for await (const part of parts) await stream.write(part as Uint8Array<ArrayBuffer>);
      await stream.close();
    } catch (error) {
      await stream?.abort().catch(() => undefined);
      if (isFull(error)) throw noRoom(`The browser has no room left for ${path}.`, error);
      throw error;
    }
  }

  return {
    async read(path) {
      for (let tries = 1; ; tries++) {
        const file = await fileAt(open, path);
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
      const add = async (folder: FileSystemDirectoryHandle, prefix: string) => {
        for await (const name of filesBelow(folder, prefix)) {
          if (name.endsWith(UNFINISHED)) continue;
          // Removed or replaced while the folder is walked.
          const file = await fileAt(open, name).catch(() => null);
          if (file) found.push({ path: name, bytes: file.size });
        }
      };
      if (path === undefined) await add(await open(), '');
      else {
        const file = await fileAt(open, path);
        const place = file ? null : await placeOf(open, path, false);
        const folder = place && (await place[0].getDirectoryHandle(place[1]).catch(() => null));
        if (file) found.push({ path, bytes: file.size });
        if (folder) await add(folder, `${path}/`);
      }
      return found.sort(byPath);
    },

    async remove(path) {
      const place = await placeOf(open, path, false);
      if (place) await removeEntry(...place);
    },
  };
}
