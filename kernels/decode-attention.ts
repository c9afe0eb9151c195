import { madd, sumEach, sumLanes } from './math';
import { softmaxRow } from './softmax';

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

/** out [dim] = Σ over keys of weight · v, 16 columns at a time in registers. */
// @ts-ignore: decorator
@inline
function mix(weights: usize, v: usize, stride: usize, keys: i32, dim: i32, out: usize): void {
  let column = 0;
  for (; column + 16 <= dim; column += 16) {
    let o0 = f32x4.splat(0);
    let o1 = f32x4.splat(0);
    let o2 = f32x4.splat(0);
    let o3 = f32x4.splat(0);
    let from = v + (<usize>column << 2);
    for (let key = 0; key < keys; key++, from += stride) {
      const w = v128.load32_splat(weights + (<usize>key << 2));
      o0 = madd(w, v128.load(from), o0);
      o1 = madd(w, v128.load(from, 16), o1);
      o2 = madd(w, v128.load(from, 32), o2);
      o3 = madd(w, v128.load(from, 48), o3);
    }
    const to = out + (<usize>column << 2);
    v128.store(to, o0);
    v128.store(to, o1, 16);
    v128.store(to, o2, 32);
    v128.store(to, o3, 48);
  }
  for (; column < dim; column++) {
    let sum: f32 = 0;
    let from = v + (<usize>column << 2);
    for (let key = 0; key < keys; key++, from += stride) sum += load<f32>(weights + (<usize>key << 2)) * load<f32>(from);
    store<f32>(out + (<usize>column << 2), sum);
  }
}

/** Keys whose scores and values are worked on while they are in the cache, for all heads that read them. */
const KEYS = 128;

export function attendFewRowsScratch(keys: i32, group: i32, dim: i32): usize {
  return ((<usize>((keys + 3) & ~3) * <usize>group) << 2) + (<usize>dim << 2);
}

/**
 * `attend` (attention.ts) for few rows, as in decoding: keys and values are read where they lie, once for all query heads of a kv head.
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
  scratch: usize,
): void {
  const group = heads / kvHeads;
  const stride = <usize>(kvHeads * dim) << 2;
  const width = <usize>((keys + 3) & ~3) << 2;
  const headBytes = <usize>dim << 2;
  const scale: f32 = 1 / sqrt<f32>(<f32>dim);
  const part = scratch + width * <usize>group;
  for (let row = 0; row < batch * rows; row++) {
    const b = row / rows;
    const start = starts != 0 ? load<i32>(starts + (<usize>b << 2)) : 0;
    const seen = causal ? max(0, min(keys, start + (row % rows) + 1)) : keys;
    const mask = keyMask != 0 ? keyMask + ((<usize>b * <usize>keys) << 2) : 0;
    const ofTiles = keyTiles != 0 ? keyTiles + ((<usize>b * <usize>keys) << 2) : 0;
    const seenBy = rowTiles + ((<usize>row * <usize>tiles) << 2);
    for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
      const kv = <usize>b * <usize>keys * stride + <usize>kvHead * headBytes;
      const at = (<usize>row * <usize>heads + <usize>(kvHead * group)) * headBytes;
      memory.fill(out + at, 0, headBytes * <usize>group);
      for (let first = 0; first < seen; first += KEYS) {
        const count = min(KEYS, seen - first);
        const from = k + kv + <usize>first * stride;
        for (let head = 0; head < group; head++) {
          score(q + at + <usize>head * headBytes, from, stride, count, dim, scale, scratch + <usize>head * width + (<usize>first << 2));
        }
      }
      for (let head = 0; head < group; head++) softmaxRow(scratch + <usize>head * width, seen, mask, seenBy, ofTiles);
      for (let first = 0; first < seen; first += KEYS) {
        const count = min(KEYS, seen - first);
        const from = v + kv + <usize>first * stride;
        for (let head = 0; head < group; head++) {
          const to = out + at + <usize>head * headBytes;
          mix(scratch + <usize>head * width + (<usize>first << 2), from, stride, count, dim, part);
          for (let i: usize = 0; i < headBytes; i += 4) store<f32>(to + i, load<f32>(to + i) + load<f32>(part + i));
        }
      }
    }
  }
}
