import type { ImportSource } from './data-client.ts';
import { convertToPng } from '../../picture-conversion.ts';

type Files = { path: string; blob: Blob }[];

/** Beyond this nobody meant to drop the folder. */
const MOST_FILES = 50_000;

/** Files of a drop with all that lies in dropped folders. Must be called in the event itself. */
export function filesOfDrop(transfer: DataTransfer): Promise<Files> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return Promise.resolve(filesOfList(transfer.files));
  return (async () => {
    const files: Files = [];
    for (const entry of entries) await walk(entry, files);
    return files;
  })();
}

export function filesOfList(list: Iterable<File> | ArrayLike<File>): Files {
  return Array.from(list, (file) => ({ path: file.webkitRelativePath || file.name || 'picture.png', blob: file }));
}

async function walk(entry: FileSystemEntry, files: Files): Promise<void> {
  if (files.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    files.push({ path: entry.fullPath.replace(/^\//, ''), blob: file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A hundred at a time, until there are none.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, files);
  }
}

/** Pictures in formats that only the browser can read come in as PNG; what it cannot read either is left as it is. */
export async function readable(files: Files): Promise<ImportSource> {
  const converted: Files = [];
  for (const file of files) {
    const foreign = file.blob.type.startsWith('image/') && !/^image\/(png|jpeg|webp)$/.test(file.blob.type);
    const png = foreign ? await convertToPng(file.blob).catch(() => null) : null;
    const path = /\.[a-z0-9]+$/i.test(file.path) ? file.path : `${file.path}.${file.blob.type.split('/')[1] ?? ''}`;
    if (!png) converted.push({ path, blob: file.blob });
    else converted.push({ path: `${path}.png`, blob: new Blob([png as Uint8Array<ArrayBuffer>], { type: 'image/png' }) });
  }
  return { files: converted };
}

/** What a dataset made of these files is called at first. */
export function titleFor(files: Files): string {
  const [first] = files;
  if (!first) return 'Untitled';
  const parts = first.path.split('/');
  const name = parts.length > 1 ? parts[0]! : parts[0]!.replace(/\.[^.]*$/, '');
  return files.length === 1 || parts.length > 1 ? name : `${name} and ${files.length - 1} more`;
}
