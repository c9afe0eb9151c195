import { checkSpan, fileTooLarge, missingFile, shortFile, type ModelFiles } from '../../weights/source.ts';
import { syntheticModelFiles, type SyntheticFile } from './synthesize.ts';

/**
 * A checkpoint of random weights in the shapes of a published model that lies nowhere: its bytes are made where they are read, so
 * a tab measures one without a download or a disk.
 *
 * @param like one of `SYNTHETIC_MODELS`
 * @param layers at most so many layers in the decoder and in the vision encoder; all when undefined
 */
export function syntheticSource(like: string, { seed = 1, layers }: { seed?: number; layers?: number } = {}): ModelFiles {
  const id = `synthetic/${like}`;
  const files = new Map(syntheticModelFiles(like, seed, layers).files.map((file) => [file.name, file]));
  const fileOf = (path: string): SyntheticFile => {
    const file = files.get(path);
    if (file) return file;
    throw missingFile(path, id);
  };
  const read = (path: string, start: number, end: number) => {
    checkSpan(path, start, end);
    const file = fileOf(path);
    if (end > file.bytes) throw shortFile(path, end, file.bytes);
    return file.read(start, end);
  };
  return {
    id,
    list: async () => [...files.keys()],
    size: async (path) => files.get(path)?.bytes ?? null,
    read: async (path, start, end) => read(path, start, end),
    readNow: read,
    async readAll(path, maxBytes) {
      const file = files.get(path);
      if (!file) return null;
      if (file.bytes > maxBytes) throw fileTooLarge(path, maxBytes);
      return file.read(0, file.bytes);
    },
    finish: async () => {},
    close: async () => {},
    isStored: () => false,
  };
}
