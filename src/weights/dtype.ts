import { halfOfBits, halfTable } from '../numbers/half.ts';

/** Element types by their safetensors names. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type DType = keyof typeof DTYPE_BYTES;

export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name);
}

/**
 * bytes as 16-bit words, little-endian as safetensors is. A view when the offset allows it, else a copy: tensors of a
 * file may start at any byte.
 */
export function wordsOf(bytes: Uint8Array): Uint16Array {
  return bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1)
    : new Uint16Array(bytes.slice().buffer);
}

function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

/** Half-precision bits to f32, exactly. */
export function f16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const table = halfTable();
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** bfloat16 bits to f32, exactly: a bfloat16 is the upper half of a float. */
export function bf16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return out;
}

/** f32 to half bits, round to nearest even. Check {@link maxAbs} first where overflow to infinity would matter. */
export function f32ToF16(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) out[i] = halfOfBits(words[i]!);
  return out;
}

/** f32 to bfloat16 bits, round to nearest even. */
export function f32ToBf16(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const x = words[i]!;
    out[i] = (x & 0x7fffffff) > 0x7f800000 ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** In an entry of the table above its half: the value is not finite. */
const NOT_FINITE = 0x10000;
/** As {@link NOT_FINITE}: it is finite, and more than a half can hold. */
const TOO_LARGE = 0x20000;

let bfloatTable: Uint32Array | null = null;

/** Every bfloat16 as a half: 256 KB, built once, a tenth of the time of bit work for each element. */
function bfloats(): Uint32Array {
  if (bfloatTable) return bfloatTable;
  const table = new Uint32Array(0x10000);
  for (let bits = 0; bits < table.length; bits++) {
    const magnitude = bits & 0x7fff;
    table[bits] = halfOfBits(bits << 16) | (magnitude >= 0x7f80 ? NOT_FINITE : magnitude >= BFLOAT_BEYOND_HALF ? TOO_LARGE : 0);
  }
  return (bfloatTable = table);
}

/** 65536 in bfloat16: the next smaller one, 65280, is the last that a half can hold. */
export const BFLOAT_BEYOND_HALF = 0x4780;

/** The worst that was among values which were to become halves: not finite, or else more than a half can hold. */
export type HalfFit = 'finite' | 'too large' | 'not finite';

/**
 * bfloat16 bits to half bits: exact for 2⁻¹⁴ ≤ |x| ≤ 65504, rounded below, infinity above.
 */
export function bf16ToF16(bits: Uint16Array, out: Uint16Array): HalfFit {
  const table = bfloats();
  let seen = 0;
  for (let i = 0; i < bits.length; i++) {
    const entry = table[bits[i]!]!;
    // The array keeps the lower half of it.
    out[i] = entry;
    seen |= entry;
  }
  return seen & NOT_FINITE ? 'not finite' : seen & TOO_LARGE ? 'too large' : 'finite';
}

/** Whether halves hold neither infinity nor NaN. */
export function areFiniteHalves(bits: Uint16Array): boolean {
  let largest = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fff;
    if (magnitude > largest) largest = magnitude;
  }
  return largest < 0x7c00;
}

/**
 * Any element type this project computes with, as f32, into `out` or an owned copy. Null for one that has no float meaning here.
 */
export function toF32(dtype: DType, bytes: Uint8Array, out?: Float32Array): Float32Array | null {
  const count = bytes.byteLength / DTYPE_BYTES[dtype];
  const values = out ?? new Float32Array(count);
  switch (dtype) {
    case 'F32':
      new Uint8Array(values.buffer, values.byteOffset, bytes.byteLength).set(bytes);
      return values;
    case 'F16':
      return f16ToF32(wordsOf(bytes), values);
    case 'BF16':
      return bf16ToF32(wordsOf(bytes), values);
    case 'F64': {
      const from = aligned(bytes, 8);
      values.set(new Float64Array(from.buffer, from.byteOffset, count));
      return values;
    }
    case 'I32': {
      const from = aligned(bytes, 4);
      values.set(new Int32Array(from.buffer, from.byteOffset, count));
      return values;
    }
    case 'U8':
    case 'BOOL':
      values.set(bytes);
      return values;
    default:
      return null;
  }
}

/** The largest absolute value, Infinity included; NaN when there is a NaN. 0 for no values. */
export function maxAbs(values: Float32Array): number {
  let largest = 0;
  let poison = 0;
  for (let i = 0; i < values.length; i++) {
    const abs = Math.abs(values[i]!);
    if (abs > largest) largest = abs;
    poison += abs !== abs ? 1 : 0;
  }
  return poison > 0 ? NaN : largest;
}
