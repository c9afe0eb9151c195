import { F32 } from './formats';
import { multiplyScratch, product } from './gemm';
import { madd, sumLanes } from './math';
import { softmaxRow } from './softmax';

/** Query rows whose scores are held at once. */
const ROWS = 64;

/** Bytes of {@link ROWS} rows of weights. */
// @ts-ignore: decorator
@inline
function weightsBytes(keys: i32): usize {
  return (<usize>ROWS * <usize>((keys + 3) & ~3)) << 2;
}

export function attendBlocks(rows: i32): i32 {
  return (rows + ROWS - 1) / ROWS;
}

export function attendScratch(keys: i32): usize {
  return multiplyScratch(false, 0, 0) + weightsBytes(keys);
}

export function attendGradientScratch(keys: i32): usize {
  return 2 * weightsBytes(keys) + multiplyScratch(true, keys, ROWS);
}

/** How many keys the rows [first, first + rows) of an entry may see at most. */
// @ts-ignore: decorator
@inline
function reach(causal: bool, start: i32, end: i32, keys: i32): i32 {
  return causal ? max(0, min(keys, start + end)) : keys;
}

/** Attention weights of `rows` query rows of one head: scores, masked, softmax → `weights`, rows `width` floats apart. */
function weigh(
  q: usize,
  qStride: usize,
  k: usize,
  kStride: usize,
  rows: i32,
  keys: i32,
  dim: i32,
  position: i32,
  causal: bool,
  keyMask: usize,
  rowTiles: usize,
  tiles: i32,
  keyTiles: usize,
  weights: usize,
  width: i32,
  scratch: usize,
): void {
  const stride = <usize>width << 2;
  const scale: f32 = 1 / sqrt<f32>(<f32>dim);
  product(q, qStride, false, F32, k, kStride, true, 0, 0, 1, 0, weights, stride, rows, keys, dim, scale, false, scratch, 0, keys);
  for (let row = 0; row < rows; row++) {
    const at = weights + <usize>row * stride;
    const seen = causal ? max(0, min(keys, position + row + 1)) : keys;
    softmaxRow(at, seen, keyMask, rowTiles + ((<usize>row * <usize>tiles) << 2), keyTiles);
    const from = (seen + 3) & ~3;
    memory.fill(at + (<usize>from << 2), 0, <usize>(((keys + 3) & ~3) - from) << 2);
  }
}

/**
 * Scaled dot-product attention with grouped heads, see ops/attention/attention.ts: q, out [batch · rows, heads · dim],
 * k, v [batch, keys, kvHeads · dim]. `starts` (i32 an entry), `keyMask` (i32 [batch, keys]), and `rowTiles` (i32 [batch · rows, tiles])
 * with `keyTiles` (i32 [batch, keys]) may be 0. Its units are the heads' blocks of rows, {@link attendBlocks} of each head of each entry:
 * `units` of them from `from` on are made.
 * @param scratch {@link attendScratch} bytes
 */
export function attend(
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
  const qStride = <usize>(heads * dim) << 2;
  const kStride = <usize>(kvHeads * dim) << 2;
  const width = (keys + 3) & ~3;
  const weights = scratch + multiplyScratch(false, 0, 0);
  const blocks = attendBlocks(rows);
  for (let unit = from; unit < from + units; unit++) {
    const b = unit / (heads * blocks);
    const head = (unit / blocks) % heads;
    const first = (unit % blocks) * ROWS;
    const start = starts != 0 ? load<i32>(starts + (<usize>b << 2)) : 0;
    const mask = keyMask != 0 ? keyMask + ((<usize>b * <usize>keys) << 2) : 0;
    const ofTiles = keyTiles != 0 ? keyTiles + ((<usize>b * <usize>keys) << 2) : 0;
    const kv = <usize>b * <usize>keys * kStride + (<usize>((head * kvHeads) / heads * dim) << 2);
    const count = min(ROWS, rows - first);
    const row = <usize>(b * rows + first);
    const at = row * qStride + (<usize>(head * dim) << 2);
    const seen = reach(causal, start, first + count, keys);
    const seenBy = rowTiles + ((row * <usize>tiles) << 2);
    weigh(q + at, qStride, k + kv, kStride, count, seen, dim, start + first, causal, mask, seenBy, tiles, ofTiles, weights, width, scratch);
    product(weights, <usize>width << 2, false, F32, v + kv, kStride, false, 0, 0, 1, 0, out + at, qStride, count, dim, seen, 1, false, scratch, 0, dim);
  }
}

/** dScores = weights · (dWeights − Σ weights · dWeights) · scale, in place of dWeights, a row at a time. */
// @ts-ignore: decorator
@inline
function softmaxGradient(weights: usize, dWeights: usize, count: i32, scale: f32): void {
  const end = <usize>((count + 3) & ~3) << 2;
  for (let i = count; i < ((count + 3) & ~3); i++) store<f32>(dWeights + (<usize>i << 2), 0);
  // Twice: rounding leaves the rows' sums a rest, see ops/attention/reference.ts.
  for (let pass = 0; pass < 2; pass++) {
    let sums = f32x4.splat(0);
    for (let at: usize = 0; at < end; at += 16) sums = madd(v128.load(weights + at), v128.load(dWeights + at), sums);
    const sum = f32x4.splat(sumLanes(sums));
    for (let at: usize = 0; at < end; at += 16) v128.store(dWeights + at, f32x4.sub(v128.load(dWeights + at), sum));
  }
  const factor = f32x4.splat(scale);
  for (let at: usize = 0; at < end; at += 16) {
    v128.store(dWeights + at, f32x4.mul(f32x4.mul(v128.load(weights + at), v128.load(dWeights + at)), factor));
  }
}

/**
 * Gradients of {@link attend} to q, k and v, whose memory is written whole. The weights are computed again rather than kept. Its units are
 * the key heads of the entries, for what their query heads give to k and v is summed: `units` of them from `from` on are made.
 * @param scratch {@link attendGradientScratch} bytes
 */
export function attendGradient(
  dy: usize,
  q: usize,
  k: usize,
  v: usize,
  dq: usize,
  dk: usize,
  dv: usize,
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
  const qStride = <usize>(heads * dim) << 2;
  const kStride = <usize>(kvHeads * dim) << 2;
  const width = (keys + 3) & ~3;
  const stride = <usize>width << 2;
  const scale: f32 = 1 / sqrt<f32>(<f32>dim);
  const weights = scratch;
  const dWeights = weights + weightsBytes(keys);
  const inner = dWeights + weightsBytes(keys);
  const group = heads / kvHeads;
  for (let unit = from; unit < from + units; unit++) {
    const b = unit / kvHeads;
    const kvHead = unit % kvHeads;
    const start = starts != 0 ? load<i32>(starts + (<usize>b << 2)) : 0;
    const mask = keyMask != 0 ? keyMask + ((<usize>b * <usize>keys) << 2) : 0;
    const ofTiles = keyTiles != 0 ? keyTiles + ((<usize>b * <usize>keys) << 2) : 0;
    const kv = <usize>b * <usize>keys * kStride + (<usize>(kvHead * dim) << 2);
    for (let key = 0; key < keys; key++) {
      memory.fill(dk + kv + <usize>key * kStride, 0, <usize>dim << 2);
      memory.fill(dv + kv + <usize>key * kStride, 0, <usize>dim << 2);
    }
    for (let head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (let first = 0; first < rows; first += ROWS) {
        const count = min(ROWS, rows - first);
        const row = <usize>(b * rows + first);
        const at = row * qStride + (<usize>(head * dim) << 2);
        const seen = reach(causal, start, first + count, keys);
        const seenBy = rowTiles + ((row * <usize>tiles) << 2);
        weigh(q + at, qStride, k + kv, kStride, count, seen, dim, start + first, causal, mask, seenBy, tiles, ofTiles, weights, width, inner);
        product(weights, stride, true, F32, dy + at, qStride, false, 0, 0, 1, 0, dv + kv, kStride, seen, dim, count, 1, true, inner, 0, dim);
        product(dy + at, qStride, false, F32, v + kv, kStride, true, 0, 0, 1, 0, dWeights, stride, count, seen, dim, 1, false, inner, 0, seen);
        for (let i = 0; i < count; i++) softmaxGradient(weights + <usize>i * stride, dWeights + <usize>i * stride, seen, scale);
        product(dWeights, stride, false, F32, k + kv, kStride, false, 0, 0, 1, 0, dq + at, qStride, count, dim, seen, 1, false, inner, 0, dim);
        product(dWeights, stride, true, F32, q + at, qStride, false, 0, 0, 1, 0, dk + kv, kStride, seen, dim, count, 1, true, inner, 0, dim);
      }
    }
  }
}
