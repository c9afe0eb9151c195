import { exp, sumLanes } from './math';

/**
 * Softmax of `count` floats at `row`, in place; the row's memory goes on to the next multiple of four, which becomes zeros.
 * A key is hidden, and its weight exactly zero, where `keyMask` (i32 a key, 0 = no mask) is 0, or where it belongs to no tile that
 * `rowTiles` (i32 a tile) sees: `keyTiles` (i32 a key, 0 = no tiles) gives its tile, −1 = padding. A row that sees nothing becomes zeros.
 */
export function softmaxRow(row: usize, count: i32, keyMask: usize, rowTiles: usize, keyTiles: usize): void {
  const padded = (count + 3) & ~3;
  const end = row + (<usize>padded << 2);
  for (let i = count; i < padded; i++) store<f32>(row + (<usize>i << 2), -Infinity);
  if (keyMask != 0 || keyTiles != 0) {
    for (let i = 0; i < count; i++) {
      const at = <usize>i << 2;
      let visible = keyMask == 0 || load<i32>(keyMask + at) != 0;
      if (visible && keyTiles != 0) {
        const tile = load<i32>(keyTiles + at);
        visible = tile >= 0 && load<i32>(rowTiles + (<usize>tile << 2)) != 0;
      }
      if (!visible) store<f32>(row + at, -Infinity);
    }
  }
  let tops = f32x4.splat(-Infinity);
  for (let at = row; at < end; at += 16) tops = f32x4.max(tops, v128.load(at));
  const top = max(
    max(f32x4.extract_lane(tops, 0), f32x4.extract_lane(tops, 1)),
    max(f32x4.extract_lane(tops, 2), f32x4.extract_lane(tops, 3)),
  );
  if (top == -Infinity) {
    memory.fill(row, 0, <usize>padded << 2);
    return;
  }
  const shift = f32x4.splat(top);
  let sums = f32x4.splat(0);
  let at = row;
  // Two at a time, for the constants of exp are made anew for each turn of the loop.
  for (; at + 32 <= end; at += 32) {
    const weight = exp(f32x4.sub(v128.load(at), shift));
    const next = exp(f32x4.sub(v128.load(at, 16), shift));
    sums = f32x4.add(sums, f32x4.add(weight, next));
    v128.store(at, weight);
    v128.store(at, next, 16);
  }
  for (; at < end; at += 16) {
    const weight = exp(f32x4.sub(v128.load(at), shift));
    sums = f32x4.add(sums, weight);
    v128.store(at, weight);
  }
  const share = f32x4.splat(1 / sumLanes(sums));
  for (let at = row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), share));
}
