import type { ExportedFile } from '../../../engine/training-api.ts';
import { NvlmError, throwIfAborted } from '../../../errors.ts';

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const STORED = 0;
const DEFLATED = 8;
/** File names are UTF-8. */
const UTF8 = 0x0800;
/** Bytes checked before the page may breathe. */
const SLICE = 2 ** 19;
/** Beyond these a ZIP needs fields that this writer does not write. */
const MOST_FILES = 60_000;
const MOST_BYTES = 2 ** 32 - 1;

/**
 * A ZIP file, its members stored as they are: weights do not shrink. The members' bytes are not copied.
 *
 * @throws NvlmError `storage-full` beyond 4 GB
 */
export async function zipped(
  files: readonly { path: string; bytes: Uint8Array | Blob }[],
  signal?: AbortSignal,
): Promise<Blob> {
  const total = files.reduce((sum, { bytes }) => sum + sizeOf(bytes), 0);
  if (total > MOST_BYTES - 2 ** 24 || files.length > MOST_FILES)
    throw new NvlmError('storage-full', 'This is too large for one ZIP file.', 'Use the command line.');
  const parts: BlobPart[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { path, bytes } of files) {
    const name = new TextEncoder().encode(path);
    const crc = await crc32(bytes, signal);
    const length = sizeOf(bytes);
    // Version, flags, method, time, date (1 January 1980), checksum, both sizes, name length, extra length.
    const common = [
      ...u16(20),
      ...u16(UTF8),
      ...u16(STORED),
      ...u16(0),
      ...u16(33),
      ...u32(crc),
      ...u32(length),
      ...u32(length),
      ...u16(name.length),
      ...u16(0),
    ];
    const local = Uint8Array.from([...u32(LOCAL), ...common, ...name]);
    // Comment length, disk, internal and external attributes, offset.
    directory.push(
      Uint8Array.from([
        ...u32(CENTRAL),
        ...u16(20),
        ...common,
        ...u16(0),
        ...u16(0),
        ...u16(0),
        ...u32(0),
        ...u32(offset),
        ...name,
      ]),
    );
    parts.push(local, bytes as Uint8Array<ArrayBuffer> | Blob);
    offset += local.length + length;
  }
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const count = u16(files.length);
  const end = Uint8Array.from([
    ...u32(END),
    ...u16(0),
    ...u16(0),
    ...count,
    ...count,
    ...u32(size),
    ...u32(offset),
    ...u16(0),
  ]);
  return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}

/**
 * The members of a ZIP file. Untrusted: members, sizes and offsets are held to the file and to `mostBytes`.
 *
 * @throws NvlmError `bad-data`
 */
export async function unzipped(zip: Blob, mostBytes = 2 ** 31): Promise<ExportedFile[]> {
  // The end record is 22 bytes and a comment of at most 65535.
  const tailStart = Math.max(0, zip.size - 22 - 65_535);
  const tail = await view(zip, tailStart, zip.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw damaged('it has no directory');
  const count = tail.getUint16(end + 10, true);
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  if (count > MOST_FILES || start + size > zip.size) throw damaged('its directory lies outside of it');
  const directory = await view(zip, start, start + size);
  const files: ExportedFile[] = [];
  let room = mostBytes;
  for (let at = 0, i = 0; i < count; i++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== CENTRAL)
      throw damaged('its directory is cut off');
    const method = directory.getUint16(at + 10, true);
    const packed = directory.getUint32(at + 20, true);
    const plain = directory.getUint32(at + 24, true);
    const nameLength = directory.getUint16(at + 28, true);
    const skip = directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    const local = directory.getUint32(at + 42, true);
    if (at + 46 + nameLength > directory.byteLength) throw damaged('a name is cut off');
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameLength));
    at += 46 + nameLength + skip;
    if (path.endsWith('/')) continue;
    if ((room -= plain) < 0) throw damaged('it holds more than can be taken');
    if (local + 30 > zip.size) throw damaged('a member lies outside of it');
    const head = await view(zip, local, local + 30);
    const from = local + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    if (from + packed > zip.size) throw damaged('a member lies outside of it');
    files.push({ path, bytes: await member(zip.slice(from, from + packed), method, plain) });
  }
  return files;
}

async function member(packed: Blob, method: number, plain: number): Promise<Uint8Array> {
  if (method !== STORED && method !== DEFLATED) throw damaged('a member is packed in a way that is not read here');
  const stream = packed.stream();
  const reader = (method === STORED ? stream : stream.pipeThrough(new DecompressionStream('deflate-raw'))).getReader();
  const bytes = new Uint8Array(plain);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (length + value.length > plain) throw damaged('a member is longer than it says');
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    throw error instanceof NvlmError ? error : damaged('a member cannot be unpacked');
  }
  if (length !== plain) throw damaged('a member is shorter than it says');
  return bytes;
}

async function view(blob: Blob, from: number, to: number): Promise<DataView<ArrayBuffer>> {
  return new DataView(await blob.slice(from, to).arrayBuffer());
}

function damaged(why: string): NvlmError {
  return new NvlmError(
    'bad-data',
    `This ZIP file cannot be read: ${why}.`,
    'Unpack it and choose the folder instead.',
  );
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function sizeOf(bytes: Uint8Array | Blob): number {
  return bytes instanceof Blob ? bytes.size : bytes.length;
}

async function crc32(bytes: Uint8Array | Blob, signal?: AbortSignal): Promise<number> {
  let crc = 0xffffffff;
  for (let start = 0; start < sizeOf(bytes); start += SLICE) {
    const part = bytes.slice(start, start + SLICE);
    const values = part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : part;
    for (let i = 0; i < values.length; i++) crc = TABLE[(crc ^ values[i]!) & 255]! ^ (crc >>> 8);
    await new Promise((resolve) => setTimeout(resolve));
    throwIfAborted(signal);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function u16(value: number): number[] {
  return [value & 255, (value >>> 8) & 255];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}
