import type { Folder } from './folder.ts';
import { idbFolder } from './idb-folder.ts';
import { MemoryFolder } from './memory-folder.ts';
import { opfsFolder } from './opfs-folder.ts';

/** The page's own folder in the browser's private storage: datasets, runs and adapters lie in it. */
export const PAGE_FOLDER = 'nvlm-playground';

/**
 * The folder of this name in the browser's private storage, else in a database of the browser; in memory, of this thread alone and
 * until the tab is closed, where it gives the page neither.
 */
export async function openFolder(name: string): Promise<Folder> {
  try {
    const root = await navigator.storage.getDirectory();
    // Storage can be there and still refuse: private windows, browsers that cannot replace a file in one go.
    const probe = `probe-${crypto.randomUUID()}`;
    const handle = await root.getFileHandle(probe, { create: true });
    try {
      await (await handle.createWritable()).close();
    } finally {
      await root.removeEntry(probe);
    }
    return opfsFolder(async () => (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true }));
  } catch {
    return idbFolder(name).catch(() => new MemoryFolder());
  }
}
