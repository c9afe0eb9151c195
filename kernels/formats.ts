/** How a matrix lies in memory; the numbers are those of ops/wasm/kernels.ts. */
export const F32 = 0;
/** Halves, rows padded to a whole number of words. */
export const F16 = 1;
/** 8- and 4-bit whole numbers with a scale and a bias a group of columns (ops/affine.ts). */
export const AFFINE8 = 2;
export const AFFINE4 = 3;

/** Bytes from one row of a matrix to the next. */
// @ts-ignore: decorator
@inline
export function rowBytes(format: i32, columns: i32): usize {
  if (format == F32) return <usize>columns << 2;
  if (format == F16) return <usize>((columns + 1) >> 1) << 2;
  return format == AFFINE8 ? <usize>columns : <usize>columns >> 1;
}

/** A half moved to where a float has its bits is 2⁻¹¹² of its value. */
// @ts-ignore: decorator
@inline
export function tinyFromHalves(halves: usize): v128 {
  return v128.and(i32x4.shl(v128.load16x4_s(halves), 13), i32x4.splat(<i32>0x8fffe000));
}

/**
 * Floats of the columns [first, first + count) of one row, to `out`. `first` is a multiple of 8, and so is `count` unless the row ends
 * there; up to 7 values behind them are written as well.
 * @param data the row's first byte
 * @param scales the row's first scale, `biases` likewise; 0 for floats and halves
 */
export function unpackRow(format: i32, data: usize, scales: usize, biases: usize, groupSize: i32, first: i32, count: i32, out: usize): void {
  if (format == F16) {
    const source = data + (<usize>first << 1);
    const back = f32x4.splat(5.192296858534828e33);
    const whole = count & ~3;
    let i = 0;
    for (; i < whole; i += 4) v128.store(out + (<usize>i << 2), f32x4.mul(tinyFromHalves(source + (<usize>i << 1)), back));
    for (; i < count; i++) {
      const bits = (<i32>load<i16>(source + (<usize>i << 1)) << 13) & <i32>0x8fffe000;
      store<f32>(out + (<usize>i << 2), reinterpret<f32>(bits) * <f32>5.192296858534828e33);
    }
    return;
  }
  for (let i = 0; i < count; i += 8) {
    const column = first + i;
    const group = <usize>(column / groupSize) << 2;
    const scale = v128.load32_splat(scales + group);
    const bias = v128.load32_splat(biases + group);
    let q: v128;
    if (format == AFFINE8) {
      q = v128.load8x8_u(data + <usize>column);
    } else {
      // Eight nibbles of one word, the lowest first: each byte twice, its high nibble moved down in every other.
      const bytes = v128.load32_splat(data + (<usize>column >> 1));
      const twice = v128.shuffle<u8>(bytes, bytes, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2, 3, 3);
      const low = v128.and(twice, i16x8.splat(0x000f));
      const high = v128.and(i16x8.shr_u(twice, 12), i16x8.splat(0x000f));
      q = i16x8.extend_low_i8x16_u(v128.or(low, i16x8.shl(high, 8)));
    }
    const to = out + (<usize>i << 2);
    v128.store(to, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q)), scale), bias));
    v128.store(to + 16, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(q)), scale), bias));
  }
}
