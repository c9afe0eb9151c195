import { byPath, pathParts } from './file-path.ts';
import type { Folder } from './folder.ts';
import { joined } from './joined.ts';
import { isFull, noRoom } from './quota.ts';

/** Bytes and, so that a list reads none of them, their number; both by path. */
const FILES = 'files';
const SIZES = 'sizes';

/**
 * A folder in a database of the browser, for those without an origin private file system (WebKitGTK): the page and all workers see
 * the same one, and it outlasts the tab. Every change is one transaction, so a tab that dies leaves a file as it was.
 *
 * @param name of the database
 * @throws what the browser says when it gives the page no database
 */
export async function idbFolder(name: string): Promise<Folder> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(FILES);
    opening.result.createObjectStore(SIZES);
  };
  const database = await answerOf(opening);
  // Another tab deletes the site's data or has a newer version.
  database.onversionchange = () => database.close();

  /** @param change of what is there, null for nothing */
  async function put(path: string, change: (before: Uint8Array | null) => Uint8Array): Promise<void> {
    pathParts(path);
    const transaction = database.transaction([FILES, SIZES], 'readwrite');
    const files = transaction.objectStore(FILES);
    const reading = files.get(path) as IDBRequest<Uint8Array | undefined>;
    reading.onsuccess = () => {
      const bytes = change(reading.result ?? null);
      files.put(bytes, path);
      transaction.objectStore(SIZES).put(bytes.length, path);
    };
    await endOf(transaction, path);
  }

  return {
    async read(path) {
      pathParts(path);
      return (await answerOf(database.transaction(FILES).objectStore(FILES).get(path) as IDBRequest<Uint8Array | undefined>)) ?? null;
    },

    write: (path, bytes) => put(path, () => bytes),

    append: (path, text) => put(path, (before) => joined([before ?? new Uint8Array(0), new TextEncoder().encode(text)])),

    async writeParts(path, parts) {
      const all: Uint8Array[] = [];
      for await (const part of parts) all.push(part.slice());
      await put(path, () => joined(all));
    },

    async list(path) {
      const found: { path: string; bytes: number }[] = [];
      for (const range of rangesOf(path)) {
        const sizes = database.transaction(SIZES).objectStore(SIZES);
        const [keys, values] = [sizes.getAllKeys(range) as IDBRequest<string[]>, sizes.getAll(range) as IDBRequest<number[]>];
        const bytes = await answerOf(values);
        keys.result.forEach((key, i) => found.push({ path: key, bytes: bytes[i]! }));
      }
      return found.sort(byPath);
    },

    async remove(path) {
      pathParts(path);
      const transaction = database.transaction([FILES, SIZES], 'readwrite');
      for (const store of [FILES, SIZES]) for (const range of rangesOf(path)) transaction.objectStore(store).delete(range!);
      await endOf(transaction, path);
    },
  };
}

/** Of `path` itself and of what lies below it; everything for none. */
function rangesOf(path: string | undefined): (IDBKeyRange | undefined)[] {
  if (path === undefined) return [undefined];
  // `0` is the character behind `/`.
  return [IDBKeyRange.only(path), IDBKeyRange.bound(`${path}/`, `${path}0`, false, true)];
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new DOMException('no answer', 'UnknownError'));
  });
}

function endOf(transaction: IDBTransaction, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => {
      const { error } = transaction;
      reject(
        isFull(error) ? noRoom(`The browser has no room left for ${path}.`, error) : (error ?? new DOMException('aborted', 'AbortError')),
      );
    };
  });
}
