/**
 * The affine layout of quantised matrices (MLX's): of a row-major [rows, columns] matrix each `groupSize` neighbouring columns share a
 * scale and a bias, w = scale · q + bias, and the whole numbers q lie in 32-bit words, the first in the lowest bits.
 */
export type AffineBits = 4 | 8;
export type AffineGroupSize = 32 | 64 | 128;

export interface AffineMatrix {
  /** [rows, columns · bits / 32] */
  words: ArrayLike<number>;
  /** [rows, columns / groupSize] */
  scales: ArrayLike<number>;
  biases: ArrayLike<number>;
}

/** The f32 values [rows, columns]. Groups follow each other without gaps, so rows need not be known. */
export function unpackAffine({ words, scales, biases }: AffineMatrix, bits: AffineBits, groupSize: number): Float32Array {
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const values = new Float32Array(words.length * perWord);
  for (let group = 0, at = 0; at < values.length; group++) {
    const scale = scales[group]!;
    const bias = biases[group]!;
    for (const end = at + groupSize; at < end; at += perWord) {
      const word = words[at / perWord]!;
      for (let i = 0; i < perWord; i++) values[at + i] = scale * ((word >>> (i * bits)) & mask) + bias;
    }
  }
  return values;
}

/** What holds the scales and biases of a quantised matrix (AffineSides in ./types.ts), by name. */
export function sidesOf<T>({ scales, biases, pairs }: { scales?: T; biases?: T; pairs?: T }): { scales: T; biases: T } | { pairs: T } {
  return pairs === undefined ? { scales: scales!, biases: biases! } : { pairs };
}
