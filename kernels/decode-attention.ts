import { madd, sumEach, sumLanes } from './math';
import { softmaxRow } from './softmax';
import { touch } from './touch';

/** Σ a·b of `dim` floats. */
// @ts-ignore: decorator
@inline
function dot(a: usize, b: usize, dim: i32): f32 {
  const whole = <usize>(dim & ~3) << 2;
  const end = <usize>dim << 2;
  let sums = f32x4.splat(0);
  let at: usize = 0;
  for (; at < whole; at += 16) sums = madd(v128.load(a + at), v128.load(b + at), sums);
  let sum = sumLanes(sums);
  for (; at < end; at += 4) sum += load<f32>(a + at) * load<f32>(b + at);
  return sum;
}

/** Scores of `keys` keys, `stride` bytes apart, with one query: scale · q · k. */
// @ts-ignore: decorator
@inline
function score(q: usize, k: usize, stride: usize, keys: i32, dim: i32, scale: f32, out: usize): void {
  const end = <usize>dim << 2;
  const scales = f32x4.splat(scale);
  let key = 0;
  if ((dim & 3) == 0) {
    for (; key + 4 <= keys; key += 4, k += 4 * stride, out += 16) {
      const k1 = k + stride;
      const k2 = k1 + stride;
      const k3 = k2 + stride;
      let s0 = f32x4.splat(0);
      let s1 = f32x4.splat(0);
      let s2 = f32x4.splat(0);
      let s3 = f32x4.splat(0);
      for (let at: usize = 0; at < end; at += 16) {
        const x = v128.load(q + at);
        s0 = madd(x, v128.load(k + at), s0);
        s1 = madd(x, v128.load(k1 + at), s1);
        s2 = madd(x, v128.load(k2 + at), s2);
        s3 = madd(x, v128.load(k3 + at), s3);
      }
      v128.store(out, f32x4.mul(sumEach(s0, s1, s2, s3), scales));
    }
  }
  for (; key < keys; key++, k += stride, out += 4) store<f32>(out, dot(q, k, dim) * scale);
}

/** {@link score} of two queries at once, `next` bytes apart, to `out` and `outNext`, for `dim` in whole fours. */
export function scorePair(q: usize, next: usize, k: usize, stride: usize, keys: i32, dim: i32, scale: f32, out: usize, outNext: usize): void {
  const end = <usize>dim << 2;
  const scales = f32x4.splat(scale);
  const y = q + next;
  let key = 0;
  for (; key + 4 <= keys; key += 4, k += 4 * stride, out += 16, outNext += 16) {
    const k1 = k + stride;
    const k2 = k1 + stride;
    const k3 = k2 + stride;
    let a0 = f32x4.splat(0);
    let a1 = f32x4.splat(0);
    let a2 = f32x4.splat(0);
    let a3 = f32x4.splat(0);
    let b0 = f32x4.splat(0);
    let b1 = f32x4.splat(0);
    let b2 = f32x4.splat(0);
    let b3 = f32x4.splat(0);
    for (let at: usize = 0; at < end; at += 16) {
      const p = v128.load(q + at);
      const r = v128.load(y + at);
      let values = v128.load(k + at);
      a0 = madd(p, values, a0);
      b0 = madd(r, values, b0);
      values = v128.load(k1 + at);
      a1 = madd(p, values, a1);
      b1 = madd(r, values, b1);
      values = v128.load(k2 + at);
      a2 = madd(p, values, a2);
      b2 = madd(r, values, b2);
      values = v128.load(k3 + at);
      a3 = madd(p, values, a3);
      b3 = madd(r, values, b3);
    }
    v128.store(out, f32x4.mul(sumEach(a0, a1, a2, a3), scales));
    v128.store(outNext, f32x4.mul(sumEach(b0, b1, b2, b3), scales));
  }
  for (; key < keys; key++, k += stride, out += 4, outNext += 4) {
    store<f32>(out, dot(q, k, dim) * scale);
    store<f32>(outNext, dot(y, k, dim) * scale);
  }
}

/** out [dim] += Σ over keys of weight · v, 32 columns at a time in registers. */
// @ts-ignore: decorator
@inline
function mix(weights: usize, v: usize, stride: usize, keys: i32, dim: i32, out: usize): void {
  let column = 0;
  for (; column + 32 <= dim; column += 32) {
    let o0 = f32x4.splat(0);
    let o1 = f32x4.splat(0);
    let o2 = f32x4.splat(0);
    let o3 = f32x4.splat(0);
    let o4 = f32x4.splat(0);
    let o5 = f32x4.splat(0);
    let o6 = f32x4.splat(0);
    let o7 = f32x4.splat(0);
    let from = v + (<usize>column << 2);
    for (let key = 0; key < keys; key++, from += stride) {
      const w = v128.load32_splat(weights + (<usize>key << 2));
      o0 = madd(w, v128.load(from), o0);
      o1 = madd(w, v128.load(from, 16), o1);
      o2 = madd(w, v128.load(from, 32), o2);
      o3 = madd(w, v128.load(from, 48), o3);
      o4 = madd(w, v128.load(from, 64), o4);
      o5 = madd(w, v128.load(from, 80), o5);
      o6 = madd(w, v128.load(from, 96), o6);
      o7 = madd(w, v128.load(from, 112), o7);
    }
    const to = out + (<usize>column << 2);
    add(to, o0);
    add(to + 16, o1);
    add(to + 32, o2);
    add(to + 48, o3);
    add(to + 64, o4);
    add(to + 80, o5);
    add(to + 96, o6);
    add(to + 112, o7);
  }
  for (; column + 4 <= dim; column += 4) {
    let sum = f32x4.splat(0);
    let from = v + (<usize>column << 2);
    for (let key = 0; key < keys; key++, from += stride) {
      sum = madd(v128.load32_splat(weights + (<usize>key << 2)), v128.load(from), sum);
    }
    add(out + (<usize>column << 2), sum);
  }
  for (; column < dim; column++) {
    let sum: f32 = 0;
    let from = v + (<usize>column << 2);
    for (let key = 0; key < keys; key++, from += stride) sum += load<f32>(weights + (<usize>key << 2)) * load<f32>(from);
    const to = out + (<usize>column << 2);
    store<f32>(to, load<f32>(to) + sum);
  }
}

/** {@link mix} of two heads at once, whose weights are `nextWeights` and outputs `next` bytes apart, for `dim` in whole sixteens. */
export function mixPair(weights: usize, nextWeights: usize, v: usize, stride: usize, keys: i32, dim: i32, out: usize, next: usize): void {
  const end = weights + (<usize>keys << 2);
  for (let column = 0; column < dim; column += 16, v += 64, out += 64) {
    let a0 = v128.load(out);
    let a1 = v128.load(out, 16);
    let a2 = v128.load(out, 32);
    let a3 = v128.load(out, 48);
    const to = out + next;
    let b0 = v128.load(to);
    let b1 = v128.load(to, 16);
    let b2 = v128.load(to, 32);
    let b3 = v128.load(to, 48);
    let from = v;
    for (let at = weights; at < end; at += 4, from += stride) {
      const x = v128.load32_splat(at);
      const y = v128.load32_splat(at + nextWeights);
      let values = v128.load(from);
      a0 = madd(x, values, a0);
      b0 = madd(y, values, b0);
      values = v128.load(from, 16);
      a1 = madd(x, values, a1);
      b1 = madd(y, values, b1);
      values = v128.load(from, 32);
      a2 = madd(x, values, a2);
      b2 = madd(y, values, b2);
      values = v128.load(from, 48);
      a3 = madd(x, values, a3);
      b3 = madd(y, values, b3);
    }
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, a2, 32);
    v128.store(out, a3, 48);
    v128.store(to, b0);
    v128.store(to, b1, 16);
    v128.store(to, b2, 32);
    v128.store(to, b3, 48);
  }
}

// @ts-ignore: decorator
@inline
function add(to: usize, values: v128): void {
  v128.store(to, f32x4.add(v128.load(to), values));
}

/** {@link touch} of `bytes` of each of `rows` rows, which are in one piece where they are the whole row. */
// @ts-ignore: decorator
@inline
function touchEach(from: usize, stride: usize, rows: i32, bytes: usize): void {
  if (bytes == stride) touch(from, from + <usize>rows * stride);
  else for (let row = 0; row < rows; row++, from += stride) touch(from, from + bytes);
}

/** So many bytes of keys, and then of values, are worked on for all heads while they are in a cache close by. */
const BLOCK_BYTES: usize = 65536;

export function attendPairs(heads: i32, kvHeads: i32): i32 {
  return kvHeads * ((heads / kvHeads + 1) >> 1);
}

export function attendFewRowsScratch(keys: i32, heads: i32): usize {
  return (<usize>((keys + 3) & ~3) * <usize>heads) << 2;
}

/**
 * `attend` (attention.ts) for few rows, as in decoding: keys and values are read where they lie, once and from end to end. Its units are
 * the pairs of query heads that share a key head, {@link attendPairs} in all: `units` of them from `from` on are made.
 * @param scratch {@link attendFewRowsScratch} bytes
 */
export function attendFewRows(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  batch: i32,
  rows: i32,
  keys: i32,
  heads: i32,
  kvHeads: i32,
  dim: i32,
  causal: bool,
  starts: usize,
  keyMask: usize,
  rowTiles: usize,
  tiles: i32,
  keyTiles: usize,
  from: i32,
  units: i32,
  scratch: usize,
): void {
  const group = heads / kvHeads;
  const pairs = (group + 1) >> 1;
  const firstHead = (from / pairs) * group + 2 * (from % pairs);
  const last = from + units - 1;
  const endHead = min((last / pairs) * group + 2 * (last % pairs) + 2, (last / pairs + 1) * group);
  const firstByte = <usize>(firstHead / group) * <usize>dim << 2;
  const bytesOf = (<usize>((endHead - 1) / group + 1) * <usize>dim << 2) - firstByte;
  const stride = <usize>(kvHeads * dim) << 2;
  const width = <usize>((keys + 3) & ~3) << 2;
  const headBytes = <usize>dim << 2;
  const scale: f32 = 1 / sqrt<f32>(<f32>dim);
  const block = max(8, <i32>(BLOCK_BYTES / stride) & ~3);
  for (let row = 0; row < batch * rows; row++) {
    const b = row / rows;
    const start = starts != 0 ? load<i32>(starts + (<usize>b << 2)) : 0;
    const seen = causal ? max(0, min(keys, start + (row % rows) + 1)) : keys;
    const mask = keyMask != 0 ? keyMask + ((<usize>b * <usize>keys) << 2) : 0;
    const ofTiles = keyTiles != 0 ? keyTiles + ((<usize>b * <usize>keys) << 2) : 0;
    const seenBy = rowTiles + ((<usize>row * <usize>tiles) << 2);
    const held = <usize>b * <usize>keys * stride;
    const at = <usize>row * <usize>heads * headBytes;
    for (let first = 0; first < seen; first += block) {
      const count = min(block, seen - first);
      const from = k + held + <usize>first * stride;
      touchEach(from + firstByte, stride, count, bytesOf);
      for (let head = firstHead; head < endHead; head++) {
        const to = scratch + <usize>head * width + (<usize>first << 2);
        const query = q + at + <usize>head * headBytes;
        const keysOf = from + <usize>(head / group) * headBytes;
        if ((dim & 3) == 0 && head % group + 1 < group) {
          scorePair(query, headBytes, keysOf, stride, count, dim, scale, to, to + width);
          head++;
        } else {
          score(query, keysOf, stride, count, dim, scale, to);
        }
      }
    }
    for (let head = firstHead; head < endHead; head++) softmaxRow(scratch + <usize>head * width, seen, mask, seenBy, ofTiles);
    memory.fill(out + at + <usize>firstHead * headBytes, 0, <usize>(endHead - firstHead) * headBytes);
    for (let first = 0; first < seen; first += block) {
      const count = min(block, seen - first);
      const from = v + held + <usize>first * stride;
      touchEach(from + firstByte, stride, count, bytesOf);
      for (let head = firstHead; head < endHead; head++) {
        const weights = scratch + <usize>head * width + (<usize>first << 2);
        const valuesOf = from + <usize>(head / group) * headBytes;
        const to = out + at + <usize>head * headBytes;
        if ((dim & 15) == 0 && head % group + 1 < group) {
          mixPair(weights, width, valuesOf, stride, count, dim, to, headBytes);
          head++;
        } else {
          mix(weights, valuesOf, stride, count, dim, to);
        }
      }
    }
  }
}
