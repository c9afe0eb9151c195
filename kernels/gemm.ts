import { AFFINE8, F32, rowBytes, unpackRow } from './formats';
import { madd } from './math';

/** Rows and columns of the block of results that is held in registers. */
const MR = 4;
const NR = 8;
/** So much of the inner dimension at a time that a panel of B stays in the nearest cache. */
const KC = 1024;

/** A panel of B, eight unpacked rows, and a block of results that hangs over the edge. */
const PANEL_BYTES: usize = KC * NR * 4;
const ROWS_BYTES: usize = (KC + 8) * NR * 4;
const EDGE_BYTES: usize = MR * NR * 4;

/** Bytes that {@link product} and {@link multiply} need. */
export function multiplyScratch(aTransposed: bool, m: i32, k: i32): usize {
  return PANEL_BYTES + ROWS_BYTES + EDGE_BYTES + (aTransposed ? (<usize>m * <usize>min(k, KC)) << 2 : 0);
}

/** Four columns of four rows, turned round: [k][row] → `out`, whose rows are NR wide. */
// @ts-ignore: decorator
@inline
function storeTurned(a: v128, b: v128, c: v128, d: v128, out: usize): void {
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(out + 32, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(out + 64, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5));
  v128.store(out + 96, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7));
}

/** The panel [k, 8] of `columns` ≤ 8 rows of length k that lie `stride` bytes apart; columns that are missing repeat the last. */
function packTurned(from: usize, stride: usize, columns: i32, k: i32, panel: usize): void {
  const r0 = from;
  const r1 = from + stride * <usize>min(1, columns - 1);
  const r2 = from + stride * <usize>min(2, columns - 1);
  const r3 = from + stride * <usize>min(3, columns - 1);
  const r4 = from + stride * <usize>min(4, columns - 1);
  const r5 = from + stride * <usize>min(5, columns - 1);
  const r6 = from + stride * <usize>min(6, columns - 1);
  const r7 = from + stride * <usize>min(7, columns - 1);
  let i = 0;
  for (; i + 4 <= k; i += 4, panel += 128) {
    const at = <usize>i << 2;
    storeTurned(v128.load(r0 + at), v128.load(r1 + at), v128.load(r2 + at), v128.load(r3 + at), panel);
    storeTurned(v128.load(r4 + at), v128.load(r5 + at), v128.load(r6 + at), v128.load(r7 + at), panel + 16);
  }
  for (; i < k; i++, panel += 32) {
    const at = <usize>i << 2;
    store<f32>(panel, load<f32>(r0 + at));
    store<f32>(panel + 4, load<f32>(r1 + at));
    store<f32>(panel + 8, load<f32>(r2 + at));
    store<f32>(panel + 12, load<f32>(r3 + at));
    store<f32>(panel + 16, load<f32>(r4 + at));
    store<f32>(panel + 20, load<f32>(r5 + at));
    store<f32>(panel + 24, load<f32>(r6 + at));
    store<f32>(panel + 28, load<f32>(r7 + at));
  }
}

/** The panel [k, 8] of `columns` ≤ 8 columns of k rows that lie `stride` bytes apart. */
function packStraight(from: usize, stride: usize, columns: i32, k: i32, panel: usize): void {
  if (columns == NR) {
    for (let i = 0; i < k; i++, from += stride, panel += 32) {
      v128.store(panel, v128.load(from));
      v128.store(panel + 16, v128.load(from, 16));
    }
    return;
  }
  for (let i = 0; i < k; i++, from += stride, panel += 32) {
    memory.fill(panel, 0, 32);
    memory.copy(panel, from, <usize>columns << 2);
  }
}

/** [rows, columns] with rows `stride` bytes apart → [columns, rows], rows next to each other. */
export function transpose(from: usize, stride: usize, rows: i32, columns: i32, out: usize): void {
  const outStride = <usize>rows << 2;
  let column = 0;
  for (; column + 4 <= columns; column += 4) {
    const source = from + (<usize>column << 2);
    const to = out + <usize>column * outStride;
    let row = 0;
    for (; row + 4 <= rows; row += 4) {
      const r = source + <usize>row * stride;
      const a = v128.load(r);
      const b = v128.load(r + stride);
      const c = v128.load(r + 2 * stride);
      const d = v128.load(r + 3 * stride);
      const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
      const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
      const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      const at = to + (<usize>row << 2);
      v128.store(at, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
      v128.store(at + outStride, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
      v128.store(at + 2 * outStride, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5));
      v128.store(at + 3 * outStride, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7));
    }
    for (; row < rows; row++) {
      for (let i: usize = 0; i < 4; i++) {
        store<f32>(to + i * outStride + (<usize>row << 2), load<f32>(source + <usize>row * stride + (i << 2)));
      }
    }
  }
  for (; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      store<f32>(out + <usize>column * outStride + (<usize>row << 2), load<f32>(from + <usize>row * stride + (<usize>column << 2)));
    }
  }
}

/** c[4, 8] (+)= alpha · Σ over k of a[4, k] · panel[k, 8] (+ bias[8]). Rows of a that are missing repeat the last. */
// @ts-ignore: decorator
@inline
function block(
  a: usize,
  aStride: usize,
  rows: i32,
  panel: usize,
  k: i32,
  c: usize,
  cStride: usize,
  alpha: f32,
  accumulate: bool,
  bias: usize,
): void {
  let a0 = a;
  let a1 = a + aStride * <usize>min(1, rows - 1);
  let a2 = a + aStride * <usize>min(2, rows - 1);
  let a3 = a + aStride * <usize>min(3, rows - 1);
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  for (let i = 0; i < k; i++) {
    const b0 = v128.load(panel);
    const b1 = v128.load(panel, 16);
    panel += 32;
    let x = v128.load32_splat(a0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    a0 += 4;
    a1 += 4;
    a2 += 4;
    a3 += 4;
  }
  let add0 = f32x4.splat(0);
  let add1 = f32x4.splat(0);
  if (bias != 0) {
    add0 = v128.load(bias);
    add1 = v128.load(bias, 16);
  }
  const scale = f32x4.splat(alpha);
  put(c, c00, c01, scale, add0, add1, accumulate);
  if (rows > 1) put(c + cStride, c10, c11, scale, add0, add1, accumulate);
  if (rows > 2) put(c + 2 * cStride, c20, c21, scale, add0, add1, accumulate);
  if (rows > 3) put(c + 3 * cStride, c30, c31, scale, add0, add1, accumulate);
}

// @ts-ignore: decorator
@inline
function put(c: usize, low: v128, high: v128, scale: v128, addLow: v128, addHigh: v128, accumulate: bool): void {
  let first = madd(low, scale, addLow);
  let second = madd(high, scale, addHigh);
  if (accumulate) {
    first = f32x4.add(first, v128.load(c));
    second = f32x4.add(second, v128.load(c, 16));
  }
  v128.store(c, first);
  v128.store(c, second, 16);
}

/**
 * c (+)= alpha · a · b (+ bias): c [m, n], a [m, k] or, transposed, [k, m], b [k, n] or, transposed, [n, k], in any format.
 * Strides are bytes from row to row. The bias, n floats or 0, is added where nothing is accumulated onto. Only the columns
 * [from, to) of c are made: `from`, and `to` unless it is n, are multiples of {@link NR}.
 * @param scratch {@link multiplyScratch} bytes
 */
export function product(
  a: usize,
  aStride: usize,
  aTransposed: bool,
  format: i32,
  b: usize,
  bStride: usize,
  bTransposed: bool,
  scales: usize,
  biases: usize,
  groupSize: i32,
  bias: usize,
  c: usize,
  cStride: usize,
  m: i32,
  n: i32,
  k: i32,
  alpha: f32,
  accumulate: bool,
  scratch: usize,
  from: i32,
  to: i32,
): void {
  const panel = scratch;
  const rows = panel + PANEL_BYTES;
  const edge = rows + ROWS_BYTES;
  const turned = edge + EDGE_BYTES;
  const groupStride = format >= AFFINE8 ? <usize>((bTransposed ? k : n) / groupSize) << 2 : 0;
  const rowStride: usize = (KC + 8) << 2;
  for (let k0 = 0; k0 < k; k0 += KC) {
    const depth = min(KC, k - k0);
    let left = a + (<usize>k0 << 2);
    let leftStride = aStride;
    if (aTransposed) {
      transpose(a + <usize>k0 * aStride, aStride, depth, m, turned);
      left = turned;
      leftStride = <usize>depth << 2;
    }
    const adds = accumulate || k0 > 0;
    for (let j = from; j < to; j += NR) {
      const columns = min(NR, to - j);
      if (format == F32) {
        if (bTransposed) packTurned(b + <usize>j * bStride + (<usize>k0 << 2), bStride, columns, depth, panel);
        else packStraight(b + <usize>k0 * bStride + (<usize>j << 2), bStride, columns, depth, panel);
      } else if (bTransposed) {
        for (let i = 0; i < columns; i++) {
          const row = <usize>(j + i);
          unpackRow(format, b + row * bStride, scales + row * groupStride, biases + row * groupStride, groupSize, k0, depth, rows + <usize>i * rowStride);
        }
        packTurned(rows, rowStride, columns, depth, panel);
      } else {
        for (let i = 0; i < depth; i++) {
          const row = <usize>(k0 + i);
          unpackRow(format, b + row * bStride, scales + row * groupStride, biases + row * groupStride, groupSize, j, columns, panel + (<usize>i << 5));
        }
      }
      const out = c + (<usize>j << 2);
      const added = bias != 0 && !adds ? bias + (<usize>j << 2) : 0;
      if (columns == NR) {
        for (let i = 0; i < m; i += MR) {
          block(left + <usize>i * leftStride, leftStride, min(MR, m - i), panel, depth, out + <usize>i * cStride, cStride, alpha, adds, added);
        }
        continue;
      }
      const width = <usize>columns << 2;
      for (let i = 0; i < m; i += MR) {
        const count = min(MR, m - i);
        block(left + <usize>i * leftStride, leftStride, count, panel, depth, edge, NR * 4, alpha, false, 0);
        for (let row = 0; row < count; row++) {
          for (let at: usize = 0; at < width; at += 4) {
            const cell = out + <usize>(i + row) * cStride + at;
            const value = load<f32>(edge + (<usize>row << 5) + at);
            store<f32>(cell, adds ? load<f32>(cell) + value : added != 0 ? value + load<f32>(added + at) : value);
          }
        }
      }
    }
  }
}

/**
 * {@link product} of whole matrices: rows next to each other, halves padded to words. Of its blocks of {@link NR} columns, `blocks` from
 * `first` on are made.
 */
export function multiply(
  a: usize,
  aTransposed: bool,
  format: i32,
  b: usize,
  bTransposed: bool,
  scales: usize,
  biases: usize,
  groupSize: i32,
  bias: usize,
  c: usize,
  m: i32,
  n: i32,
  k: i32,
  first: i32,
  blocks: i32,
  scratch: usize,
): void {
  product(
    a,
    <usize>(aTransposed ? m : k) << 2,
    aTransposed,
    format,
    b,
    rowBytes(format, bTransposed ? k : n),
    bTransposed,
    scales,
    biases,
    groupSize,
    bias,
    c,
    <usize>n << 2,
    m,
    n,
    k,
    1,
    false,
    scratch,
    first * NR,
    min(n, (first + blocks) * NR),
  );
}
