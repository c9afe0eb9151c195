import { NvlmError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { CENTRAL, DEFLATED, END, FLAG_ENCRYPTED, FLAG_UTF8, LOCAL, NO_COUNT, NO_OFFSET, STORED, viewOf } from './zip-format.ts';
import { memberName } from './zip-names.ts';

/** The archive, wherever it lies: only what is asked for is read. */
export interface ZipSource {
  /** For messages. */
  path: string;
  /** Bytes. */
  size: number;
  slice(start: number, end: number): Promise<Uint8Array>;
}

export interface ZipMember {
  /** As the archive has it, with `/` between folders; untrusted: for names and for matching, never to write to. */
  path: string;
  /** Bytes unpacked. */
  size: number;
  /** Why it cannot be read; else null. */
  obstacle: string | null;
  /** @throws NvlmError `bad-data` when it is damaged or unpacks to another size than it declares */
  read(): Promise<Uint8Array>;
}

export interface ZipLimits {
  files: number;
  /** Of all members, unpacked. */
  bytes: number;
}

const MOST_COMMENT = 0xffff;
const MOST_DIRECTORY_BYTES = 16 * 2 ** 20;

/**
 * The members of a ZIP, folders aside, read from its directory at the end: nothing is unpacked before it is asked for, and
 * never more than the directory declares.
 *
 * @throws NvlmError `bad-data` when it is no ZIP, is damaged, or declares more than the limits
 */
export async function readZip(zip: ZipSource, limits: ZipLimits): Promise<ZipMember[]> {
  const tail = await zip.slice(Math.max(0, zip.size - END.bytes - MOST_COMMENT), zip.size);
  const view = viewOf(tail);
  let end = tail.length - END.bytes;
  while (end >= 0 && view.getUint32(end, true) !== END.signature) end--;
  if (end < 0) throw damaged(zip.path, 'it is not a ZIP file, or its end is missing');
  const count = view.getUint16(end + 10, true);
  const bytes = view.getUint32(end + 12, true);
  const offset = view.getUint32(end + 16, true);
  if (count === NO_COUNT || offset === NO_OFFSET) throw damaged(zip.path, 'zip64 files are not supported; make smaller ones');
  if (count > limits.files) throw tooLarge(`“${zip.path}” holds ${count} files`, `${limits.files} files`);
  if (bytes > MOST_DIRECTORY_BYTES || offset + bytes > zip.size) throw damaged(zip.path, 'its directory is damaged');
  return readDirectory(zip, await zip.slice(offset, offset + bytes), count, limits);
}

function readDirectory(zip: ZipSource, directory: Uint8Array, count: number, limits: ZipLimits): ZipMember[] {
  const members: ZipMember[] = [];
  const view = viewOf(directory);
  let total = 0;
  for (let entry = 0, at = 0; entry < count; entry++) {
    if (at + CENTRAL.bytes > directory.length || view.getUint32(at, true) !== CENTRAL.signature)
      throw damaged(zip.path, 'its directory is damaged');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const nameLength = view.getUint16(at + 28, true);
    const packing = {
      isPacked: method === DEFLATED,
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      start: view.getUint32(at + 42, true),
    };
    const name = directory.subarray(at + CENTRAL.bytes, at + CENTRAL.bytes + nameLength);
    if (name.length < nameLength) throw damaged(zip.path, 'its directory is damaged');
    const extraLength = view.getUint16(at + 30, true);
    const extra = directory.subarray(at + CENTRAL.bytes + nameLength, at + CENTRAL.bytes + nameLength + extraLength);
    at += CENTRAL.bytes + nameLength + extraLength + view.getUint16(at + 32, true);
    const path = memberName(name, extra, (flags & FLAG_UTF8) !== 0);
    if (path.endsWith('/')) continue;
    total += packing.size;
    if (total > limits.bytes) {
      const most = `${limits.bytes / 2 ** 20} MiB`;
      throw tooLarge(`“${zip.path}” would unpack to more than ${most}`, most);
    }
    const where = `${zip.path}: ${path}`;
    members.push({
      path,
      size: packing.size,
      obstacle: obstacleOf(flags, method),
      read: () => unpack(zip, where, packing),
    });
  }
  return members;
}

function obstacleOf(flags: number, method: number): string | null {
  if (flags & FLAG_ENCRYPTED) return 'it is encrypted';
  return method === STORED || method === DEFLATED ? null : 'it is packed by a method that is not supported';
}

interface Packing {
  isPacked: boolean;
  crc: number;
  packed: number;
  size: number;
  start: number;
}

async function unpack(zip: ZipSource, where: string, { isPacked, crc, packed, size, start }: Packing): Promise<Uint8Array> {
  const local = await zip.slice(start, start + LOCAL.bytes);
  if (local.length < LOCAL.bytes || viewOf(local).getUint32(0, true) !== LOCAL.signature) throw damaged(where, 'it is damaged');
  const from = start + LOCAL.bytes + viewOf(local).getUint16(26, true) + viewOf(local).getUint16(28, true);
  const data = await zip.slice(from, from + packed);
  if (data.length !== packed) throw damaged(where, 'the archive ends before it does');
  const bytes = isPacked ? await inflate(data, size, where) : data;
  if (bytes.length !== size || crc32(bytes) !== crc) throw damaged(where, 'it is damaged');
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
    throw damaged(where, cause instanceof RangeError ? cause.message : 'it is damaged', cause);
  }
  return out.subarray(0, at);
}

function damaged(path: string, reason: string, cause?: unknown): NvlmError {
  const fix = 'Make or download the file again, or unpack it and choose the folder.';
  return new NvlmError('bad-data', `“${path}” cannot be read: ${reason}.`, fix, { cause });
}

function tooLarge(what: string, limit: string): NvlmError {
  return new NvlmError('bad-data', `${what}.`, `At most ${limit} fit here: take a part of it.`);
}
