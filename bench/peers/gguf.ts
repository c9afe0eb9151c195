/**
 * The parts of GGUF version 3 that the bench needs: metadata, and tensors of the types F32, F16, Q4_0, Q4_1 and Q8_0 as floats
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 */
import { halfToFloat } from '../../src/numbers/half.ts';

export interface Gguf {
  names: string[];
  /** @throws Error when there is no such key */
  value(key: string): unknown;
  number(key: string): number;
  /** Row-major, the slowest dimension first. */
  tensor(name: string): { shape: number[]; values: Float32Array };
}

const STRING = 8;
const ARRAY = 9;
const BLOCK = 32;

export function readGguf(file: Uint8Array): Gguf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = new TextDecoder();
  let at = 0;
  const take = (bytes: number) => (at += bytes) - bytes;
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => Number(view.getBigUint64(take(8), true));
  const string = () => {
    const length = u64();
    return text.decode(file.subarray(take(length), at));
  };
  const numbers: Record<number, () => number | boolean> = {
    0: () => view.getUint8(take(1)),
    1: () => view.getInt8(take(1)),
    2: () => view.getUint16(take(2), true),
    3: () => view.getInt16(take(2), true),
    4: u32,
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    7: () => view.getUint8(take(1)) === 1,
    10: u64,
    11: () => Number(view.getBigInt64(take(8), true)),
    12: () => view.getFloat64(take(8), true),
  };
  const value = (type: number): unknown => {
    if (type === STRING) return string();
    if (type !== ARRAY) return numbers[type]!();
    const [inner, count] = [u32(), u64()];
    return Array.from({ length: count }, () => value(inner));
  };

  if (text.decode(file.subarray(0, 4)) !== 'GGUF' || view.getUint32(4, true) !== 3) throw new Error('This is not GGUF version 3.');
  at = 8;
  const [tensors, keys] = [u64(), u64()];
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < keys; i++) {
    const key = string();
    metadata.set(key, value(u32()));
  }
  const entries = new Map<string, { shape: number[]; type: number; offset: number }>();
  for (let i = 0; i < tensors; i++) {
    const name = string();
    const shape = Array.from({ length: u32() }, u64).reverse();
    entries.set(name, { shape, type: u32(), offset: u64() });
  }
  const alignment = Number(metadata.get('general.alignment') ?? 32);
  const start = Math.ceil(at / alignment) * alignment;
  const valueOf = (key: string) => {
    if (!metadata.has(key)) throw new Error(`The GGUF file has no ${key}.`);
    return metadata.get(key);
  };
  return {
    names: [...entries.keys()],
    value: valueOf,
    number: (key) => Number(valueOf(key)),
    tensor(name) {
      const { shape, type, offset } = entries.get(name)!;
      const count = shape.reduce((product, extent) => product * extent, 1);
      return { shape, values: unpack(view, start + offset, type, count, name) };
    },
  };
}

function unpack(view: DataView, from: number, type: number, count: number, name: string): Float32Array {
  const out = new Float32Array(count);
  const half = (at: number) => halfToFloat(view.getUint16(at, true));
  /** Blocks of 32 nibbles, the low ones first. */
  const nibbles = (header: number, scaleAndBias: (at: number) => [number, number]) => {
    for (let i = 0, at = from; i < count; i += BLOCK, at += header + BLOCK / 2) {
      const [scale, bias] = scaleAndBias(at);
      for (let j = 0; j < BLOCK / 2; j++) {
        const byte = view.getUint8(at + header + j);
        out[i + j] = (byte & 15) * scale + bias;
        out[i + j + BLOCK / 2] = (byte >> 4) * scale + bias;
      }
    }
  };
  switch (type) {
    case 0:
      for (let i = 0; i < count; i++) out[i] = view.getFloat32(from + 4 * i, true);
      break;
    case 1:
      for (let i = 0; i < count; i++) out[i] = half(from + 2 * i);
      break;
    case 2:
      nibbles(2, (at) => [half(at), -8 * half(at)]);
      break;
    case 3:
      nibbles(4, (at) => [half(at), half(at + 2)]);
      break;
    case 8:
      for (let i = 0, at = from; i < count; i += BLOCK, at += 2 + BLOCK) {
        const scale = half(at);
        for (let j = 0; j < BLOCK; j++) out[i + j] = view.getInt8(at + 2 + j) * scale;
      }
      break;
    default:
      throw new Error(`${name} is of GGUF type ${type}, which the bench does not read.`);
  }
  return out;
}
