import type { ModelSource, PickedFile } from '../../engine/api.ts';
import { rememberDropped } from './known-folders.ts';

/** A model has some dozens of files; whoever drops a home folder meant something else. */
const MOST_FILES = 2000;
const DEEPEST = 8;

type FilesSource = Extract<ModelSource, { kind: 'files' }>;

/** What a file input gives, of a folder or of single files; null for none. */
export function fromInput(files: Iterable<File> | null): FilesSource | null {
  const picked = [...(files ?? [])].slice(0, MOST_FILES).map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
  return sourceOf(picked);
}

/** Whether something dropped is meant as a model: a folder, or files that only models have. Names are hidden until the drop. */
export function holdsModel(transfer: DataTransfer | null): boolean {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
  return entries.some((entry) => entry?.isDirectory || /\.safetensors$|(^|\/)config\.json$/.test(entry?.name ?? ''));
}

/** Entries have to be taken from the event before it ends; reading them may take its time. */
export function fromDrop(transfer: DataTransfer): Promise<FilesSource | null> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  rememberDropped(transfer);
  return (async () => {
    const picked: PickedFile[] = [];
    for (const entry of entries) await collect(entry, '', picked, 0);
    return sourceOf(picked);
  })();
}

/** The files of a chosen folder. Rejects when it has gone, or may not be read. */
export async function fromHandle(folder: FileSystemDirectoryHandle): Promise<FilesSource | null> {
  const picked: PickedFile[] = [];
  const walk = async (handle: FileSystemDirectoryHandle, path: string, depth: number): Promise<void> => {
    for await (const [name, inner] of handle.entries()) {
      if (picked.length >= MOST_FILES || depth > DEEPEST) return;
      if (inner instanceof FileSystemDirectoryHandle) await walk(inner, `${path}/${name}`, depth + 1);
      else picked.push({ path: `${path}/${name}`, blob: await (inner as FileSystemFileHandle).getFile() });
    }
  };
  await walk(folder, folder.name, 0);
  return sourceOf(picked);
}

async function collect(entry: FileSystemEntry, folder: string, picked: PickedFile[], depth: number): Promise<void> {
  if (picked.length >= MOST_FILES || depth > DEEPEST) return;
  const path = folder + entry.name;
  if (entry.isFile) {
    const blob = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    picked.push({ path, blob });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // Browsers give a folder in parts and an empty part at its end.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const inner of part) await collect(inner, `${path}/`, picked, depth + 1);
  }
}

function sourceOf(files: PickedFile[]): FilesSource | null {
  const [first] = files;
  if (!first) return null;
  const folder = first.path.split('/').slice(0, -1).at(0);
  return { kind: 'files', name: folder ?? 'your files', files };
}
