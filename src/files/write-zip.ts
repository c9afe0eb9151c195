import { NvlmError, throwIfAborted } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { CENTRAL, END, FLAG_UTF8, LOCAL, NO_COUNT, NO_OFFSET, viewOf } from './zip-format.ts';

/** Bytes at a time, and how long they are checked, until a thread that draws may draw. */
const CHECKED_BYTES = 2 ** 19;
const BREATH_MS = 8;

/**
 * Parts of a ZIP whose members are stored as they are: pictures and weights do not get smaller. Blobs go out as they came
 * in, without being held in memory.
 *
 * @throws NvlmError `bad-data` beyond 4 GB or 65,534 members
 */
export async function* writeZip<T extends Uint8Array | Blob>(
  members: AsyncIterable<{ path: string; bytes: T }> | Iterable<{ path: string; bytes: T }>,
  signal?: AbortSignal,
): AsyncGenerator<T | Uint8Array<ArrayBuffer>> {
  const directory: Uint8Array[] = [];
  const breath = { since: performance.now() };
  let at = 0;
  for await (const { path, bytes } of members) {
    const size = bytes instanceof Blob ? bytes.size : bytes.length;
    if (at + size > NO_OFFSET - 2 ** 24 || directory.length + 1 >= NO_COUNT) {
      throw new NvlmError('bad-data', 'This is too much for one ZIP file.', 'Take a part of it, or use the command line.');
    }
    const name = new TextEncoder().encode(path);
    // Version, flags, method (stored), time, date (1 January 1980, so that equal data gives an equal file), checksum,
    // both sizes, lengths of name and extra field.
    const common = record(
      [2, 20],
      [2, FLAG_UTF8],
      [2, 0],
      [2, 0],
      [2, 0x21],
      [4, await checksum(bytes, breath, signal)],
      [4, size],
      [4, size],
      [2, name.length],
      [2, 0],
    );
    const local = concat(record([4, LOCAL.signature]), common, name);
    // Lengths and attributes that are all 0, and where the member begins.
    const central = concat(record([4, CENTRAL.signature], [2, 20]), common, new Uint8Array(10), record([4, at]), name);
    directory.push(central);
    yield local;
    yield bytes;
    at += local.length + size;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = record([4, END.signature], [4, 0], [2, directory.length], [2, directory.length], [4, size], [4, at], [2, 0]);
  yield concat(...directory, end);
}

async function checksum(bytes: Uint8Array | Blob, breath: { since: number }, signal: AbortSignal | undefined): Promise<number> {
  let crc = 0;
  const size = bytes instanceof Blob ? bytes.size : bytes.length;
  for (let start = 0; start < size; start += CHECKED_BYTES) {
    const end = start + CHECKED_BYTES;
    const part = bytes instanceof Blob ? new Uint8Array(await bytes.slice(start, end).arrayBuffer()) : bytes.subarray(start, end);
    crc = crc32(part, crc);
    if (performance.now() - breath.since < BREATH_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    throwIfAborted(signal);
    breath.since = performance.now();
  }
  return crc;
}

/** Little-endian numbers of so many bytes, one after the other. */
function record(...fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array {
  const out = new Uint8Array(fields.reduce((sum, [bytes]) => sum + bytes, 0));
  const view = viewOf(out);
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return out;
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
