import { AFFINE8, F16, rowBytes, tinyFromHalves } from './formats';
import { madd, sumEach } from './math';
import { touch } from './touch';

/**
 * Products of few rows, as decoding makes them: each weight is read once, packed as it is, and the rows are made ready for it first.
 *
 * Rows for quantised weights become fixed-point numbers of two 16-bit halves, x = step · (high + low · 2⁻¹⁵), because then eight weights
 * are multiplied and added by one instruction for each half, in whole numbers and so without rounding; a float has no more bits.
 */
const LOW_STEP: f32 = 0.000030517578125;

/** Where the n-th value of a row stands, for the nibbles of a 16-byte block lie four apart in the lanes that they are masked out to. */
// @ts-ignore: decorator
@inline
function place(format: i32, i: i32): usize {
  return format == AFFINE8 ? <usize>i : <usize>((i & ~31) | ((i & 3) << 3) | ((i & 31) >> 2));
}

/**
 * Makes one row x [k] ready: high halves [k] i16, low halves [k] i16 at `out`, sums of the groups [k / groupSize] f32 at `sums`.
 * @returns the step; NaN when a value is not finite, and so is then all that is made of it
 */
function fixRow(format: i32, x: usize, k: i32, groupSize: i32, out: usize, sums: usize): f32 {
  let most = f32x4.splat(0);
  for (let i = 0; i < k; i += 4) most = f32x4.max(most, f32x4.abs(v128.load(x + (<usize>i << 2))));
  const largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  const isFinite = largest < Infinity;
  const step: f32 = isFinite ? largest / 32767 : NaN;
  // Of a row of zeros, or one too small to divide by, nothing is left.
  const perStep: f32 = isFinite && largest > 1e-30 ? <f32>32767 / largest : 0;
  const lows = out + (<usize>k << 1);
  for (let group = 0; group < k; group += groupSize) {
    let sum: f32 = 0;
    for (let i = group; i < group + groupSize; i++) {
      const value = load<f32>(x + (<usize>i << 2));
      sum += value;
      const scaled: f32 = value * perStep;
      const high = nearest<f32>(scaled);
      const at = place(format, i) << 1;
      store<i16>(out + at, <i16>(<i32>high));
      store<i16>(lows + at, <i16>(<i32>nearest<f32>((scaled - high) * 32768)));
    }
    store<f32>(sums + (<usize>(group / groupSize) << 2), sum);
  }
  return step;
}

// @ts-ignore: decorator
@inline
function both(high: v128, low: v128): v128 {
  return madd(f32x4.convert_i32x4_s(low), f32x4.splat(LOW_STEP), f32x4.convert_i32x4_s(high));
}

/** Four results of 8-bit weights for one row: their lanes still to be summed. */
// @ts-ignore: decorator
@inline
function dot8(w: usize, stride: usize, high: usize, low: usize, scale: usize, scaleStride: usize, k: i32, groupSize: i32): v128 {
  let r0 = f32x4.splat(0);
  let r1 = f32x4.splat(0);
  let r2 = f32x4.splat(0);
  let r3 = f32x4.splat(0);
  const w1 = w + stride;
  const w2 = w + 2 * stride;
  const w3 = w + 3 * stride;
  for (let group = 0; group < k; group += groupSize, scale += 4) {
    let h0 = i32x4.splat(0);
    let h1 = i32x4.splat(0);
    let h2 = i32x4.splat(0);
    let h3 = i32x4.splat(0);
    let l0 = i32x4.splat(0);
    let l1 = i32x4.splat(0);
    let l2 = i32x4.splat(0);
    let l3 = i32x4.splat(0);
    const end = <usize>(group + groupSize);
    for (let i = <usize>group; i < end; i += 8) {
      const xh = v128.load(high + (i << 1));
      const xl = v128.load(low + (i << 1));
      let q = v128.load8x8_u(w + i);
      h0 = i32x4.add(h0, i32x4.dot_i16x8_s(q, xh));
      l0 = i32x4.add(l0, i32x4.dot_i16x8_s(q, xl));
      q = v128.load8x8_u(w1 + i);
      h1 = i32x4.add(h1, i32x4.dot_i16x8_s(q, xh));
      l1 = i32x4.add(l1, i32x4.dot_i16x8_s(q, xl));
      q = v128.load8x8_u(w2 + i);
      h2 = i32x4.add(h2, i32x4.dot_i16x8_s(q, xh));
      l2 = i32x4.add(l2, i32x4.dot_i16x8_s(q, xl));
      q = v128.load8x8_u(w3 + i);
      h3 = i32x4.add(h3, i32x4.dot_i16x8_s(q, xh));
      l3 = i32x4.add(l3, i32x4.dot_i16x8_s(q, xl));
    }
    r0 = madd(both(h0, l0), v128.load32_splat(scale), r0);
    r1 = madd(both(h1, l1), v128.load32_splat(scale + scaleStride), r1);
    r2 = madd(both(h2, l2), v128.load32_splat(scale + 2 * scaleStride), r2);
    r3 = madd(both(h3, l3), v128.load32_splat(scale + 3 * scaleStride), r3);
  }
  return sumEach(r0, r1, r2, r3);
}

/** Σ of 32 four-bit weights times one half of 32 values, in the lanes' order. */
// @ts-ignore: decorator
@inline
function nibbles(sum: v128, q0: v128, q1: v128, q2: v128, q3: v128, x: usize): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(q0, v128.load(x)));
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(q1, v128.load(x, 16)));
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(q2, v128.load(x, 32)));
  return i32x4.add(sum, i32x4.dot_i16x8_s(q3, v128.load(x, 48)));
}

/** As {@link dot8} for 4-bit weights. */
// @ts-ignore: decorator
@inline
function dot4(w: usize, stride: usize, high: usize, low: usize, scale: usize, scaleStride: usize, k: i32, groupSize: i32): v128 {
  let r0 = f32x4.splat(0);
  let r1 = f32x4.splat(0);
  let r2 = f32x4.splat(0);
  let r3 = f32x4.splat(0);
  const mask = i16x8.splat(15);
  for (let group = 0; group < k; group += groupSize, scale += 4) {
    let h0 = i32x4.splat(0);
    let h1 = i32x4.splat(0);
    let h2 = i32x4.splat(0);
    let h3 = i32x4.splat(0);
    let l0 = i32x4.splat(0);
    let l1 = i32x4.splat(0);
    let l2 = i32x4.splat(0);
    let l3 = i32x4.splat(0);
    const end = <usize>(group + groupSize);
    for (let i = <usize>group; i < end; i += 32) {
      const xh = high + (i << 1);
      const xl = low + (i << 1);
      const at = w + (i >> 1);
      let words = v128.load(at);
      let q0 = v128.and(words, mask);
      let q1 = v128.and(i16x8.shr_u(words, 4), mask);
      let q2 = v128.and(i16x8.shr_u(words, 8), mask);
      let q3 = i16x8.shr_u(words, 12);
      h0 = nibbles(h0, q0, q1, q2, q3, xh);
      l0 = nibbles(l0, q0, q1, q2, q3, xl);
      words = v128.load(at + stride);
      q0 = v128.and(words, mask);
      q1 = v128.and(i16x8.shr_u(words, 4), mask);
      q2 = v128.and(i16x8.shr_u(words, 8), mask);
      q3 = i16x8.shr_u(words, 12);
      h1 = nibbles(h1, q0, q1, q2, q3, xh);
      l1 = nibbles(l1, q0, q1, q2, q3, xl);
      words = v128.load(at + 2 * stride);
      q0 = v128.and(words, mask);
      q1 = v128.and(i16x8.shr_u(words, 4), mask);
      q2 = v128.and(i16x8.shr_u(words, 8), mask);
      q3 = i16x8.shr_u(words, 12);
      h2 = nibbles(h2, q0, q1, q2, q3, xh);
      l2 = nibbles(l2, q0, q1, q2, q3, xl);
      words = v128.load(at + 3 * stride);
      q0 = v128.and(words, mask);
      q1 = v128.and(i16x8.shr_u(words, 4), mask);
      q2 = v128.and(i16x8.shr_u(words, 8), mask);
      q3 = i16x8.shr_u(words, 12);
      h3 = nibbles(h3, q0, q1, q2, q3, xh);
      l3 = nibbles(l3, q0, q1, q2, q3, xl);
    }
    r0 = madd(both(h0, l0), v128.load32_splat(scale), r0);
    r1 = madd(both(h1, l1), v128.load32_splat(scale + scaleStride), r1);
    r2 = madd(both(h2, l2), v128.load32_splat(scale + 2 * scaleStride), r2);
    r3 = madd(both(h3, l3), v128.load32_splat(scale + 3 * scaleStride), r3);
  }
  return sumEach(r0, r1, r2, r3);
}

/** Σ over the groups of bias · the group's sum, for four rows of weights. */
// @ts-ignore: decorator
@inline
function dotBiases(biases: usize, stride: usize, sums: usize, groups: i32): v128 {
  let result = f32x4.splat(0);
  for (let group = 0; group < groups; group++) {
    const at = <usize>group << 2;
    let b = v128.load32_zero(biases + at);
    b = v128.load32_lane(biases + stride + at, b, 1);
    b = v128.load32_lane(biases + 2 * stride + at, b, 2);
    b = v128.load32_lane(biases + 3 * stride + at, b, 3);
    result = madd(b, v128.load32_splat(sums + at), result);
  }
  return result;
}

/** Of eight halves those in odd places, at 2⁻¹¹² of their values. */
// @ts-ignore: decorator
@inline
function odd(w: v128): v128 {
  return v128.and(i32x4.shr_s(w, 3), i32x4.splat(<i32>0x8fffe000));
}

// @ts-ignore: decorator
@inline
function even(w: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(w, 16), 3), i32x4.splat(<i32>0x8fffe000));
}

/**
 * Four results of halves for one row of floats, of whose whole eights the values in even places stand before those in odd ones
 * ({@link raiseRow}). `k` counts whole fours; the rest is the caller's.
 */
// @ts-ignore: decorator
@inline
function dotHalves(w: usize, stride: usize, x: usize, k: i32): v128 {
  let r0 = f32x4.splat(0);
  let r1 = f32x4.splat(0);
  let r2 = f32x4.splat(0);
  let r3 = f32x4.splat(0);
  const w1 = w + stride;
  const w2 = w + 2 * stride;
  const w3 = w + 3 * stride;
  const end = <usize>(k & ~3) << 1;
  const whole = <usize>(k & ~7) << 1;
  let at: usize = 0;
  for (; at < whole; at += 16) {
    const evens = v128.load(x + (at << 1));
    const odds = v128.load(x + (at << 1), 16);
    let q = v128.load(w + at);
    r0 = madd(odd(q), odds, madd(even(q), evens, r0));
    q = v128.load(w1 + at);
    r1 = madd(odd(q), odds, madd(even(q), evens, r1));
    q = v128.load(w2 + at);
    r2 = madd(odd(q), odds, madd(even(q), evens, r2));
    q = v128.load(w3 + at);
    r3 = madd(odd(q), odds, madd(even(q), evens, r3));
  }
  for (; at < end; at += 8) {
    const values = v128.load(x + (at << 1));
    r0 = madd(tinyFromHalves(w + at), values, r0);
    r1 = madd(tinyFromHalves(w1 + at), values, r1);
    r2 = madd(tinyFromHalves(w2 + at), values, r2);
    r3 = madd(tinyFromHalves(w3 + at), values, r3);
  }
  return sumEach(r0, r1, r2, r3);
}

/**
 * Floats times 2¹¹² / back, so that products with halves left at 2⁻¹¹² of their value (`tinyFromHalves`) come out right.
 * @returns back, 1 unless the values are so large that they would not fit
 */
function raiseRow(x: usize, k: i32, out: usize): f32 {
  let largest: f32 = 0;
  for (let i = 0; i < k; i++) largest = max(largest, abs(load<f32>(x + (<usize>i << 2))));
  let back: f32 = 1;
  while (largest > 16384 && largest < Infinity) {
    largest /= 65536;
    back *= 65536;
  }
  const factor: f32 = <f32>5.192296858534828e33 / back;
  const whole = k & ~7;
  for (let i = 0; i < k; i++) {
    const at = i < whole ? (i & ~7) | ((i & 1) << 2) | ((i & 7) >> 1) : i;
    store<f32>(out + (<usize>at << 2), load<f32>(x + (<usize>i << 2)) * factor);
  }
  return back;
}

/** Bytes of one row made ready: its two halves or its floats, the groups' sums, the step. */
// @ts-ignore: decorator
@inline
function readyBytes(k: i32, groups: i32): usize {
  return ((<usize>k << 2) + (<usize>groups << 2) + 4 + 15) & ~15;
}

export function multiplyFewRowsScratch(rows: i32, k: i32, groups: i32): usize {
  return <usize>rows * readyBytes(k, groups);
}

/** Makes the rows x [rows, k] ready at `out`, {@link multiplyFewRowsScratch} bytes, for {@link multiplyFewRows}. */
export function makeRowsReady(format: i32, x: usize, groupSize: i32, rows: i32, k: i32, out: usize): void {
  const isHalf = format == F16;
  const groups = isHalf ? 0 : k / groupSize;
  const ready = readyBytes(k, groups);
  for (let row = 0; row < rows; row++) {
    const to = out + ready * <usize>row;
    const source = x + <usize>row * (<usize>k << 2);
    const sums = to + (<usize>k << 2);
    const step = isHalf ? raiseRow(source, k, to) : fixRow(format, source, k, groupSize, to, sums);
    store<f32>(sums + (<usize>groups << 2), step);
  }
}

/** Bytes of one matrix in the table of {@link multiplyFewRows}: see there. */
const MATRIX_BYTES: usize = 28;

/**
 * y = x · Wᵀ (+ added) for one or more packed W [n, k] of one format: x [rows, k], each with a y [rows, n] of its own. Of the fours of
 * their results, of which each matrix begins with a new one, `fours` from `from` on are made.
 *
 * @param made x, by {@link makeRowsReady}
 * @param table of each W seven words: the addresses of W, scales, biases, `added` and y; bytes from one row of `added` to the next, 0 where
 * all have the same; n
 * @param all fours of all matrices
 */
export function multiplyFewRows(
  format: i32,
  made: usize,
  table: usize,
  all: i32,
  groupSize: i32,
  rows: i32,
  k: i32,
  from: i32,
  fours: i32,
): void {
  for (let first = 0; first < all; table += MATRIX_BYTES) {
    const n = load<i32>(table, 24);
    const count = (n + 3) >> 2;
    const begin = max(from - first, 0);
    const end = min(from + fours - first, count);
    if (begin < end) multiplyFours(format, made, table, groupSize, rows, n, k, begin, end);
    first += count;
  }
}

/** The fours [begin, end) of one matrix's results. */
function multiplyFours(
  format: i32,
  made: usize,
  matrix: usize,
  groupSize: i32,
  rows: i32,
  n: i32,
  k: i32,
  begin: i32,
  endFours: i32,
): void {
  const w = load<u32>(matrix);
  const scales = load<u32>(matrix, 4);
  const biases = load<u32>(matrix, 8);
  const added = load<u32>(matrix, 12);
  const y = load<u32>(matrix, 16);
  const addedStride = load<u32>(matrix, 20);
  const isHalf = format == F16;
  const groups = isHalf ? 0 : k / groupSize;
  const ready = readyBytes(k, groups);
  const stride = rowBytes(format, k);
  const groupStride = <usize>groups << 2;
  const end = w + <usize>n * stride;
  const to = min(n, endFours << 2);
  for (let j = begin << 2; j < to; j += 4) {
    // The last four overlap those before them rather than hang over the edge; of fewer than four the last is repeated.
    const first = n >= 4 ? min(j, n - 4) : 0;
    const reach = n >= 4 ? stride : 0;
    const reachGroups = n >= 4 ? groupStride : 0;
    const at = w + <usize>first * stride;
    // Halves take long enough to be unpacked that the next four can be on their way meanwhile.
    if (isHalf) touch(min(at + 4 * stride, end), min(at + 8 * stride, end));
    else touch(at, at + 3 * reach + stride);
    for (let row = 0; row < rows; row++) {
      const fixed = made + ready * <usize>row;
      const sums = fixed + (<usize>k << 2);
      const step = load<f32>(sums + groupStride);
      const out = y + ((<usize>row * <usize>n + <usize>first) << 2);
      const add = added + <usize>row * addedStride + (<usize>first << 2);
      if (n < 4) {
        for (let i = 0; i < n; i++) {
          const value = f32x4.extract_lane(fourResults(format, <usize>i, w, stride, 0, 0, scales, biases, groupStride, groupSize, fixed, sums, step, k, groups), 0);
          store<f32>(out + (<usize>i << 2), added != 0 ? value + load<f32>(add + (<usize>i << 2)) : value);
        }
        continue;
      }
      let values = fourResults(format, <usize>first, w, stride, reach, reachGroups, scales, biases, groupStride, groupSize, fixed, sums, step, k, groups);
      if (added != 0) values = f32x4.add(values, v128.load(add));
      v128.store(out, values);
    }
  }
}

/** The results `first` to `first + 3` of one row; with no reach, four times the first. */
function fourResults(
  format: i32,
  first: usize,
  w: usize,
  stride: usize,
  reach: usize,
  reachGroups: usize,
  scales: usize,
  biases: usize,
  groupStride: usize,
  groupSize: i32,
  fixed: usize,
  sums: usize,
  step: f32,
  k: i32,
  groups: i32,
): v128 {
  const from = w + first * stride;
  if (format == F16) {
    let values = dotHalves(from, reach, fixed, k);
    for (let i = k & ~3; i < k; i++) {
      const at = from + (<usize>i << 1);
      const x = v128.load32_splat(fixed + (<usize>i << 2));
      let bits = i32x4.splat(<i32>load<i16>(at));
      bits = i32x4.replace_lane(bits, 1, <i32>load<i16>(at + reach));
      bits = i32x4.replace_lane(bits, 2, <i32>load<i16>(at + 2 * reach));
      bits = i32x4.replace_lane(bits, 3, <i32>load<i16>(at + 3 * reach));
      values = madd(v128.and(i32x4.shl(bits, 13), i32x4.splat(<i32>0x8fffe000)), x, values);
    }
    return f32x4.mul(values, f32x4.splat(step));
  }
  const low = fixed + (<usize>k << 1);
  const scale = scales + first * groupStride;
  const dots =
    format == AFFINE8
      ? dot8(from, reach, fixed, low, scale, reachGroups, k, groupSize)
      : dot4(from, reach, fixed, low, scale, reachGroups, k, groupSize);
  return madd(dots, f32x4.splat(step), dotBiases(biases + first * groupStride, reachGroups, sums, groups));
}

/**
 * y = x · W (+ bias) for floats W [k, n]: x [rows, k], y [rows, n]. Four rows of W at a time are read from end to end. Of the results'
 * fours, `fours` from `from` on are made.
 */
export function multiplyFewRowsF32(x: usize, w: usize, bias: usize, y: usize, rows: i32, n: i32, k: i32, from: i32, fours: i32): void {
  const stride = <usize>n << 2;
  const first = <usize>from << 4;
  const end = min(stride, <usize>(from + fours) << 4);
  const whole = min(<usize>(n & ~3) << 2, end);
  for (let row = 0; row < rows; row++, x += <usize>k << 2, y += stride) {
    if (bias != 0) memory.copy(y + first, bias + first, end - first);
    else memory.fill(y + first, 0, end - first);
    let i = 0;
    for (; i + 4 <= k; i += 4) {
      const w0 = w + <usize>i * stride;
      const w1 = w0 + stride;
      const w2 = w1 + stride;
      const w3 = w2 + stride;
      const at = x + (<usize>i << 2);
      const x0 = v128.load32_splat(at);
      const x1 = v128.load32_splat(at, 4);
      const x2 = v128.load32_splat(at, 8);
      const x3 = v128.load32_splat(at, 12);
      let j = first;
      for (; j < whole; j += 16) {
        let sum = madd(x0, v128.load(w0 + j), v128.load(y + j));
        sum = madd(x1, v128.load(w1 + j), sum);
        sum = madd(x2, v128.load(w2 + j), sum);
        v128.store(y + j, madd(x3, v128.load(w3 + j), sum));
      }
      for (; j < end; j += 4) {
        let sum = load<f32>(y + j) + load<f32>(at) * load<f32>(w0 + j);
        sum += load<f32>(at, 4) * load<f32>(w1 + j);
        sum += load<f32>(at, 8) * load<f32>(w2 + j);
        store<f32>(y + j, sum + load<f32>(at, 12) * load<f32>(w3 + j));
      }
    }
    for (; i < k; i++) {
      const value = load<f32>(x + (<usize>i << 2));
      const row = w + <usize>i * stride;
      for (let j = first; j < end; j += 4) store<f32>(y + j, load<f32>(y + j) + value * load<f32>(row + j));
    }
  }
}
