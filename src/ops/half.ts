/** IEEE 754 half precision on the host: the packed layout of the `f16` weights in ./types.ts. */

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** Nearest half (ties to even) of a float, as its 16 bits. */
export function floatToHalf(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: a multiple of 2^-24.
    const steps = Math.abs(scratchFloat[0]!) * 2 ** 24;
    const floor = Math.floor(steps);
    const rest = steps - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  const half = (magnitude - 0x38000000) >>> 13;
  const rest = magnitude & 0x1fff;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0));
}

export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Row-major [rows, columns] floats → [rows, ceil(columns / 2)] words, low half first; an odd row's last high half is
 * zero.
 */
export function packHalves(values: ArrayLike<number>, rows: number, columns: number): Int32Array {
  const words = Math.ceil(columns / 2);
  const packed = new Int32Array(rows * words);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      packed[r * words + (c >> 1)]! |= floatToHalf(values[r * columns + c]!) << (c & 1 ? 16 : 0);
    }
  }
  return packed;
}

/** Inverse of {@link packHalves}. */
export function unpackHalves(packed: ArrayLike<number>, rows: number, columns: number): Float32Array {
  const words = Math.ceil(columns / 2);
  const values = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      values[r * columns + c] = halfToFloat((packed[r * words + (c >> 1)]! >>> (c & 1 ? 16 : 0)) & 0xffff);
    }
  }
  return values;
}
