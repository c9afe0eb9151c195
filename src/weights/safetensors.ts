import { NvlmError } from '../errors.ts';
import { DTYPE_BYTES, f32ToBf16, f32ToF16, isDType } from './dtype.ts';
import type { DType } from './dtype.ts';
import type { ModelFiles } from './source.ts';
import { missingFile, readSpan } from './source.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';
import type { JsonValue } from './strict-json.ts';

/**
 * Bound of the JSON header, in bytes. The format allows 100 MB, and parsing takes several times that; 16 MB describe a hundred
 * thousand tensors.
 */
export const MAX_HEADER_BYTES = 2 ** 24;
const MAX_RANK = 16;

export interface TensorEntry {
  name: string;
  dtype: DType;
  /** Outermost dimension first; [] for a scalar. */
  shape: number[];
  /** Path of the file inside the model's folder. */
  file: string;
  /** First byte in the file (the header counted). */
  start: number;
  /** One past the last byte. */
  end: number;
}

export interface SafetensorsHeader {
  tensors: TensorEntry[];
  metadata: Record<string, string>;
  /** Where tensor data begins. */
  dataStart: number;
}

function broken(file: string, why: string): never {
  throw new NvlmError(
    'bad-model',
    `${file} is not a valid safetensors file: ${why}.`,
    'Get the file again from its source; this copy is damaged.',
  );
}

/**
 * Length of the JSON header from the file's first 8 bytes (u64, little-endian).
 * @throws NvlmError `bad-model` when it is longer than the format or the file allows, so that nothing is allocated for
 * it.
 */
export function headerLength(first8: Uint8Array, fileSize: number, file: string): number {
  if (first8.length < 8 || fileSize < 8) broken(file, `${fileSize} bytes are too few`);
  const view = new DataView(first8.buffer, first8.byteOffset, 8);
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length > MAX_HEADER_BYTES) broken(file, `its header claims ${length} bytes, more than any model needs`);
  if (length > fileSize - 8) broken(file, `its header claims ${length} bytes and the file has ${fileSize}`);
  if (length < 2) broken(file, 'its header is empty');
  return length;
}

function isSize(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function parseEntry(name: string, info: JsonValue, file: string, dataStart: number, dataBytes: number): TensorEntry {
  const shown = `tensor "${name.slice(0, 120)}"`;
  if (!isJsonObject(info)) return broken(file, `${shown} has no description`);
  const { dtype, shape, data_offsets: offsets } = info;
  if (typeof dtype !== 'string') return broken(file, `${shown} has no element type`);
  if (!isDType(dtype)) {
    throw new NvlmError(
      'unsupported-model',
      `${file}: ${shown} has the element type ${JSON.stringify(dtype.slice(0, 40))}, which is unknown here.`,
      `Use a checkpoint with one of ${Object.keys(DTYPE_BYTES).join(', ')}.`,
    );
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isSize)) return broken(file, `${shown} has a bad shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) return broken(file, `${shown} has bad offsets`);
  let bytes: number = DTYPE_BYTES[dtype];
  // A zero dimension makes the whole product zero, however large the others are.
  if (shape.includes(0)) bytes = 0;
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return broken(file, `${shown} is impossibly large`);
  }
  const [from, to] = offsets as [number, number];
  if (to < from || to > dataBytes) return broken(file, `${shown} lies outside the file`);
  if (to - from !== bytes) return broken(file, `${shown} needs ${bytes} bytes and is given ${to - from}`);
  return { name, dtype, shape, file, start: dataStart + from, end: dataStart + to };
}

/**
 * Checks a safetensors header from an untrusted source: known element types, sane shapes, spans that match them, lie in
 * the file and do not overlap; no key twice. Gaps and unaligned tensors are tolerated. Entries come in file order.
 * @param json the header's bytes, without the 8 length bytes
 * @throws NvlmError `bad-model` or `unsupported-model`, naming file and tensor
 */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): SafetensorsHeader {
  const dataStart = 8 + json.length;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    return broken(file, 'its header is not UTF-8');
  }
  const root = parseStrictJson(text, `The header of ${file}`);
  if (!isJsonObject(root)) return broken(file, 'its header is not an object');

  const metadata: Record<string, string> = Object.create(null) as Record<string, string>;
  const tensors: TensorEntry[] = [];
  for (const name of Object.keys(root)) {
    const info = root[name]!;
    if (name !== '__metadata__') {
      tensors.push(parseEntry(name, info, file, dataStart, fileSize - dataStart));
      continue;
    }
    if (!isJsonObject(info)) return broken(file, '__metadata__ is not an object');
    for (const [key, value] of Object.entries(info)) {
      if (typeof value !== 'string') return broken(file, '__metadata__ holds something other than text');
      metadata[key] = value;
    }
  }

  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  let last: TensorEntry | undefined;
  for (const entry of tensors) {
    if (entry.start === entry.end) continue;
    if (last && entry.start < last.end) return broken(file, `tensors "${last.name}" and "${entry.name}" overlap`);
    last = entry;
  }
  return { tensors, metadata, dataStart };
}

/** Reads and checks the header of one file of a model; 8 bytes, then the header, nothing of the tensors. */
export async function readHeader(files: ModelFiles, file: string, signal?: AbortSignal): Promise<SafetensorsHeader> {
  const size = await files.size(file, signal);
  if (size === null) throw missingFile(file, files.id);
  if (size < 8) return broken(file, `${size} bytes are too few`);
  const length = headerLength(await files.read(file, 0, 8, signal), size, file);
  return parseHeader(await readSpan(files, file, 8, 8 + length, signal), size, file);
}

export interface LoadedTensor {
  name: string;
  dtype: DType;
  shape: number[];
  /** Raw little-endian elements, a view into the file; may be unaligned. */
  bytes: Uint8Array;
}

/** A whole safetensors file in memory: inputs of `forward`, adapters, fixtures. Same checks as {@link parseHeader}. */
export function parseSafetensors(data: Uint8Array, file: string): Map<string, LoadedTensor> {
  // Node's Buffer is a Uint8Array whose slice() does not copy: views of a plain one are safe to slice.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file);
  const { tensors } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, file);
  return new Map(tensors.map(({ name, dtype, shape, start, end }) => [name, { name, dtype, shape, bytes: bytes.subarray(start, end) }]));
}

export interface TensorSpec {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

export interface TensorData extends TensorSpec {
  /**
   * Elements of the stated type as raw bits (Uint16Array for F16 and BF16), or a Float32Array to be rounded to F16 or
   * BF16.
   */
  data: ArrayBufferView;
}

const WIDEST_FIRST = (Object.keys(DTYPE_BYTES) as DType[]).reverse();

/**
 * The file's first bytes (length, JSON, padding to 8) for these tensors, and the order in which their data must follow:
 * wider types first, then by name, as the format's reference writer does, so every tensor is aligned. For writing file
 * by file without holding the data.
 */
export function buildHeader<T extends TensorSpec>(
  tensors: readonly T[],
  metadata: Record<string, string> = {},
): { header: Uint8Array; order: T[]; totalBytes: number } {
  const order = [...tensors].sort(
    (a, b) => WIDEST_FIRST.indexOf(a.dtype) - WIDEST_FIRST.indexOf(b.dtype) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const seen = new Set(['__metadata__']);
  let at = 0;
  for (const { name, dtype, shape } of order) {
    if (seen.has(name)) throw new NvlmError('bad-data', `Two tensors are called "${name}".`, 'Give every tensor its own name.');
    seen.add(name);
    const end = at + shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`);
    at = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(32);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return { header, order, totalBytes: header.length + at };
}

function rawBytes(tensor: TensorData): Uint8Array {
  let { data } = tensor;
  if (data instanceof Float32Array && tensor.dtype === 'F16') data = f32ToF16(data);
  if (data instanceof Float32Array && tensor.dtype === 'BF16') data = f32ToBf16(data);
  const wanted = tensor.shape.reduce((product, size) => product * size, DTYPE_BYTES[tensor.dtype]);
  if (data.byteLength !== wanted) {
    throw new NvlmError(
      'bad-data',
      `Tensor "${tensor.name}" has ${data.byteLength} bytes where ${tensor.dtype} [${tensor.shape}] needs ${wanted}.`,
      'This is a bug in the playground: please report it.',
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A safetensors file of these tensors, in memory. */
export function writeSafetensors(tensors: readonly TensorData[], metadata: Record<string, string> = {}): Uint8Array {
  const { header, order, totalBytes } = buildHeader(tensors, metadata);
  const out = new Uint8Array(totalBytes);
  out.set(header);
  let at = header.length;
  for (const tensor of order) {
    const bytes = rawBytes(tensor);
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}
