import type { Folder } from './folder.ts';
import { MemoryFolder } from './memory-folder.ts';
import { opfsFolder } from './opfs-folder.ts';

/** The page's own folder in the browser's private storage: datasets, runs and adapters lie in it. */
export const PAGE_FOLDER = 'nvlm-playground';

/** The folder of this name in the browser's private storage; in memory where there is none that can be written to. */
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
    return new MemoryFolder();
  }
}
