import { NvlmError } from '../../errors.ts';
import { MAX_FILE_BYTES } from '../../tiling/image-limits.ts';
import { badFile, tooLarge } from '../limits.ts';

/** A file on offer, wherever it lies: only what is asked for is read. */
export interface SourceFile {
  /** With `/` between folders, as it was given: for names and for matching alone, never to write to. */
  path: string;
  /** Bytes. */
  size: number;
  /** @throws NvlmError `bad-data`, `network` */
  slice(start: number, end: number): Promise<Uint8Array>;
}

export function blobFile(path: string, blob: Blob): SourceFile {
  return {
    path,
    size: blob.size,
    async slice(start, end) {
      try {
        return new Uint8Array(await blob.slice(start, end).arrayBuffer());
      } catch (cause) {
        throw badFile(path, 'it was changed or removed after it was chosen', cause);
      }
    },
  };
}

export function bytesFile(path: string, bytes: Uint8Array): SourceFile {
  return { path, size: bytes.length, slice: async (start, end) => bytes.subarray(start, end) };
}

/** All of a file that may have so many bytes. @throws NvlmError `bad-data` */
export async function readText(file: SourceFile, mostBytes: number): Promise<string> {
  if (file.size > mostBytes)
    throw tooLarge(`“${file.path}” has ${Math.round(file.size / 2 ** 20)} MiB`, `${mostBytes / 2 ** 20} MiB of text`);
  return decodeText(await file.slice(0, file.size));
}

/** A picture's bytes. @throws NvlmError `image-too-large` before anything is read */
export async function readPicture(file: SourceFile): Promise<Uint8Array> {
  if (file.size <= MAX_FILE_BYTES) return file.slice(0, file.size);
  throw new NvlmError(
    'image-too-large',
    `“${file.path}” has ${Math.round(file.size / 2 ** 20)} MiB`,
    `Save it smaller: at most ${MAX_FILE_BYTES / 2 ** 20} MiB.`,
  );
}

/** UTF-8, UTF-16 by its mark, or else what old spreadsheets write. */
function decodeText(bytes: Uint8Array): string {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null;
  if (utf16) return new TextDecoder(utf16).decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

export function extensionOf(path: string): string {
  return /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** With its `/` at the end; empty for a file that lies in none. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}
