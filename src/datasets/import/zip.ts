import { crc32 } from '../../tiling/crc32.ts';
import { badFile, MOST_BYTES, MOST_FILES, tooLarge } from '../limits.ts';
import type { ImportProblem } from '../types.ts';
import type { SourceFile } from './source-file.ts';

const END_BYTES = 22;
const MOST_COMMENT = 0xffff;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const MOST_DIRECTORY_BYTES = 16 * 2 ** 20;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const UTF8_NAMES = 0x800;

/**
 * The files of a zip, read from its directory at the end: nothing is unpacked before it is asked for, and never more than
 * the directory declares (PKWARE APPNOTE 6.3.10, without zip64 and encryption).
 *
 * @throws NvlmError `bad-data` when it is no zip, is damaged, or declares more than fits here
 */
export async function readZip(zip: SourceFile): Promise<{ files: SourceFile[]; problems: ImportProblem[] }> {
  const tail = await zip.slice(Math.max(0, zip.size - END_BYTES - MOST_COMMENT), zip.size);
  const end = findEnd(tail);
  if (end === null) throw badFile(zip.path, 'it is not a zip file, or its end is missing');
  const view = viewOf(tail);
  const count = view.getUint16(end + 10, true);
  const bytes = view.getUint32(end + 12, true);
  const offset = view.getUint32(end + 16, true);
  if (count === 0xffff || offset === 0xffffffff)
    throw badFile(zip.path, 'zip64 files are not supported; make smaller ones');
  if (count > MOST_FILES) throw tooLarge(`“${zip.path}” holds ${count} files`, `${MOST_FILES} files`);
  if (bytes > MOST_DIRECTORY_BYTES || offset + bytes > zip.size) throw badFile(zip.path, 'its directory is damaged');
  return readDirectory(zip, await zip.slice(offset, offset + bytes), count);
}

function readDirectory(zip: SourceFile, directory: Uint8Array, count: number) {
  const files: SourceFile[] = [];
  const problems: ImportProblem[] = [];
  const view = viewOf(directory);
  let total = 0;
  for (let entry = 0, at = 0; entry < count; entry++) {
    if (at + ENTRY_BYTES > directory.length || view.getUint32(at, true) !== 0x02014b50)
      throw badFile(zip.path, 'its directory is damaged');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const start = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(directory.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength));
    at += ENTRY_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);

    if (name.endsWith('/') || isClutter(name)) continue;
    const where = `${zip.path}: ${name}`;
    if (leavesFolder(name)) problems.push({ where, reason: 'its path leaves the archive' });
    else if (flags & ENCRYPTED) problems.push({ where, reason: 'it is encrypted' });
    else if (method !== STORED && method !== DEFLATED)
      problems.push({ where, reason: 'it is packed by a method that is not supported' });
    else {
      total += size;
      if (total > MOST_BYTES)
        throw tooLarge(`“${zip.path}” would unpack to more than ${MOST_BYTES / 2 ** 30} GiB`, '2 GiB');
      files.push(entryFile(zip, { name, where, method, crc, packed, size, start }));
    }
  }
  return { files, problems };
}

interface Entry {
  name: string;
  where: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  start: number;
}

function entryFile(zip: SourceFile, entry: Entry): SourceFile {
  return {
    path: entry.name,
    size: entry.size,
    slice: async (start, end) => (await unpack(zip, entry)).subarray(start, end),
  };
}

async function unpack(zip: SourceFile, { where, method, crc, packed, size, start }: Entry): Promise<Uint8Array> {
  const local = await zip.slice(start, start + LOCAL_BYTES);
  if (local.length < LOCAL_BYTES || viewOf(local).getUint32(0, true) !== 0x04034b50)
    throw badFile(where, 'it is damaged');
  const from = start + LOCAL_BYTES + viewOf(local).getUint16(26, true) + viewOf(local).getUint16(28, true);
  const data = await zip.slice(from, from + packed);
  if (data.length !== packed) throw badFile(where, 'the archive ends before it does');
  const bytes = method === STORED ? data : await inflate(data, size, where);
  if (bytes.length !== size || crc32(bytes) !== crc) throw badFile(where, 'it is damaged');
  return bytes;
}

/** Stops as soon as more comes than was declared. */
async function inflate(data: Uint8Array, size: number, where: string): Promise<Uint8Array> {
  const packed = new Blob([data as Uint8Array<ArrayBuffer>]).stream();
  const reader = packed.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const out = new Uint8Array(size);
  let at = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (at + part.value.length > size) throw new RangeError('it holds more than it declares');
      out.set(part.value, at);
      at += part.value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => undefined);
    throw badFile(where, cause instanceof RangeError ? cause.message : 'it is damaged', cause);
  }
  return out.subarray(0, at);
}

function findEnd(tail: Uint8Array): number | null {
  const view = viewOf(tail);
  for (let at = tail.length - END_BYTES; at >= 0; at--) if (view.getUint32(at, true) === 0x06054b50) return at;
  return null;
}

export function leavesFolder(path: string): boolean {
  return /^([/\\]|[a-z]:)/i.test(path) || path.split(/[/\\]/).includes('..');
}

/** What systems leave in archives and folders. */
export function isClutter(path: string): boolean {
  return path.split('/').some((part) => part === '__MACOSX' || /^\.[^.]/.test(part) || part === 'Thumbs.db');
}

/** Parts of a zip whose files are stored as they are: pictures do not get smaller. */
export async function* writeZip(files: AsyncIterable<{ path: string; bytes: Uint8Array }>): AsyncGenerator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let at = 0;
  for await (const { path, bytes } of files) {
    const name = new TextEncoder().encode(path);
    const common = new Uint8Array(26);
    const view = viewOf(common);
    view.setUint16(0, 20, true);
    view.setUint16(2, UTF8_NAMES, true);
    view.setUint16(8, 0x21, true); // 1980-01-01, so that equal data gives an equal file
    view.setUint32(10, crc32(bytes), true);
    view.setUint32(14, bytes.length, true);
    view.setUint32(18, bytes.length, true);
    view.setUint16(22, name.length, true);
    const header = concat(signature(0x04034b50), common, name);
    directory.push(concat(signature(0x02014b50), Uint8Array.of(20, 0), common, new Uint8Array(10), uint32(at), name));
    yield header;
    yield bytes;
    at += header.length + bytes.length;
    if (at > 0xffffffff || directory.length > 0xfffe) throw tooLarge('The data is too much for one zip file', '4 GB');
  }
  const end = new Uint8Array(18);
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const view = viewOf(end);
  view.setUint16(4, directory.length, true);
  view.setUint16(6, directory.length, true);
  view.setUint32(8, size, true);
  view.setUint32(12, at, true);
  yield concat(...directory, signature(0x06054b50), end);
}

function signature(value: number): Uint8Array {
  return uint32(value);
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
