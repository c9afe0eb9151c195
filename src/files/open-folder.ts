import type { Folder } from './folder.ts';
import { idbFolder } from './idb-folder.ts';
import { MemoryFolder } from './memory-folder.ts';
import { opfsFolder } from './opfs-folder.ts';
import { PRIVATE_FOLDERS, privateFolder } from './private-storage.ts';

/**
 * The page's own folder in the browser's private storage, where datasets, runs and adapters lie, else in a database of the browser; in
 * memory, of this thread alone and until the tab is closed, where it gives the page neither.
 */
export async function openPageFolder(): Promise<Folder> {
  try {
    const open = privateFolder(PRIVATE_FOLDERS.page);
    const root = await open();
    // Browsers may have storage and be unable to replace a file in one go.
    const probe = `probe-${crypto.randomUUID()}`;
    const handle = await root.getFileHandle(probe, { create: true });
    try {
      await (await handle.createWritable()).close();
    } finally {
      await root.removeEntry(probe);
    }
    return opfsFolder(open);
  } catch {
    return idbFolder(PRIVATE_FOLDERS.page).catch(() => new MemoryFolder());
  }
}
