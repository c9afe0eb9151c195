/** Folders that were opened here before: browsers with the File System Access API let a page keep a handle and ask again. */
import { NvlmError } from '../../errors.ts';

/** What Chromium has and TypeScript's page library leaves out. */
export type FolderHandle = FileSystemDirectoryHandle & {
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
};
interface WithHandles {
  showDirectoryPicker?(options: { mode: 'read' }): Promise<FolderHandle>;
}
interface ItemWithHandle {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

const DATABASE = 'nvlm-folders';
const HANDLES = 'handles';

export function canPickFolders(): boolean {
  return 'showDirectoryPicker' in window;
}

/** The folder that the visitor chooses; null for none. */
export async function pickFolder(): Promise<FolderHandle | null> {
  try {
    return await (window as WithHandles).showDirectoryPicker!({ mode: 'read' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return null;
    throw error;
  }
}

/** To be called while the drop's event lasts. */
export function rememberDropped(transfer: DataTransfer): void {
  for (const item of transfer.items as Iterable<ItemWithHandle>) {
    void item
      .getAsFileSystemHandle?.()
      .then((handle) => (handle instanceof FileSystemDirectoryHandle ? rememberFolder(handle) : undefined))
      .catch(() => undefined);
  }
}

/** Asks for leave to read it, which browsers want again after a while; only in answer to a press. @throws NvlmError `usage` */
export async function askToRead(handle: FolderHandle): Promise<void> {
  if (!handle.requestPermission || (await handle.requestPermission({ mode: 'read' })) === 'granted') return;
  throw new NvlmError(
    'usage',
    `The browser may not read the folder ${handle.name}.`,
    'Press its name again and allow it, or drop the folder.',
  );
}

async function withHandles<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(HANDLES);
  const database = await answerOf(opening);
  try {
    return await answerOf(work(database.transaction(HANDLES, mode).objectStore(HANDLES)));
  } finally {
    database.close();
  }
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('no answer'));
  });
}

/** By name; none where the browser keeps nothing. */
export async function knownFolders(): Promise<FolderHandle[]> {
  return withHandles('readonly', (store) => store.getAll() as IDBRequest<FolderHandle[]>).catch(() => []);
}

/** The last one of a name stays. Never rejects: the folder can be chosen again. */
export async function rememberFolder(handle: FolderHandle): Promise<void> {
  await withHandles('readwrite', (store) => store.put(handle, handle.name)).catch(() => undefined);
}

export async function forgetFolder(name: string): Promise<void> {
  await withHandles('readwrite', (store) => store.delete(name)).catch(() => undefined);
}
