import { badFile } from '../limits.ts';

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

/** UTF-8, UTF-16 by its mark, or else what old spreadsheets write. */
export function decodeText(bytes: Uint8Array): string {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null;
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
