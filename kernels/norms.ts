import { madd, sumLanes } from './math';

/** Σ a·b over `width` floats, four lanes wide; the last few one by one. */
// @ts-ignore: decorator
@inline
function dot(a: usize, b: usize, width: i32): f32 {
  const whole = <usize>(width & ~3) << 2;
  const end = <usize>width << 2;
  let sums = f32x4.splat(0);
  let at: usize = 0;
  for (; at < whole; at += 16) sums = madd(v128.load(a + at), v128.load(b + at), sums);
  let sum = sumLanes(sums);
  for (; at < end; at += 4) sum += load<f32>(a + at) * load<f32>(b + at);
  return sum;
}

/** y = x / √(mean(x²) + eps) · weight, a row at a time. x, y [rows, width] */
export function rmsNorm(x: usize, weight: usize, y: usize, rows: i32, width: i32, eps: f32): void {
  const whole = <usize>(width & ~3) << 2;
  const end = <usize>width << 2;
  for (let row = 0; row < rows; row++, x += end, y += end) {
    const inverse: f32 = 1 / sqrt<f32>(dot(x, x, width) / <f32>width + eps);
    const scale = f32x4.splat(inverse);
    let at: usize = 0;
    for (; at < whole; at += 16) v128.store(y + at, f32x4.mul(f32x4.mul(v128.load(x + at), scale), v128.load(weight + at)));
    for (; at < end; at += 4) store<f32>(y + at, load<f32>(x + at) * inverse * load<f32>(weight + at));
  }
}

/**
 * With r the inverse RMS, n = x·r and g = dy·weight: dx = r·(g − n·mean(g·n)); dWeight = Σ over the rows of dy·n.
 * Either may be 0 and is then left out.
 */
export function rmsNormGradient(dy: usize, x: usize, weight: usize, dx: usize, dWeight: usize, rows: i32, width: i32, eps: f32): void {
  const end = <usize>width << 2;
  const whole = <usize>(width & ~3) << 2;
  if (dWeight != 0) memory.fill(dWeight, 0, end);
  for (let row = 0; row < rows; row++, x += end, dy += end) {
    const r: f32 = 1 / sqrt<f32>(dot(x, x, width) / <f32>width + eps);
    const rs = f32x4.splat(r);
    let at: usize = 0;
    if (dWeight != 0) {
      for (; at < whole; at += 16) {
        v128.store(dWeight + at, madd(v128.load(dy + at), f32x4.mul(v128.load(x + at), rs), v128.load(dWeight + at)));
      }
      for (; at < end; at += 4) store<f32>(dWeight + at, load<f32>(dWeight + at) + load<f32>(dy + at) * load<f32>(x + at) * r);
    }
    if (dx == 0) continue;
    let sums = f32x4.splat(0);
    for (at = 0; at < whole; at += 16) {
      sums = madd(f32x4.mul(v128.load(dy + at), v128.load(weight + at)), f32x4.mul(v128.load(x + at), rs), sums);
    }
    let sum = sumLanes(sums);
    for (; at < end; at += 4) sum += load<f32>(dy + at) * load<f32>(weight + at) * load<f32>(x + at) * r;
    const mean: f32 = sum / <f32>width;
    const means = f32x4.splat(mean);
    for (at = 0; at < whole; at += 16) {
      const g = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      const n = f32x4.mul(v128.load(x + at), rs);
      v128.store(dx + at, f32x4.mul(rs, f32x4.sub(g, f32x4.mul(n, means))));
    }
    for (; at < end; at += 4) {
      const g: f32 = load<f32>(dy + at) * load<f32>(weight + at);
      store<f32>(dx + at, r * (g - load<f32>(x + at) * r * mean));
    }
    dx += end;
  }
}

/** y = (x − mean) / √(variance + eps) · weight + bias, a row at a time. */
export function layerNorm(x: usize, weight: usize, bias: usize, y: usize, rows: i32, width: i32, eps: f32): void {
  const whole = <usize>(width & ~3) << 2;
  const end = <usize>width << 2;
  for (let row = 0; row < rows; row++, x += end, y += end) {
    let sums = f32x4.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) sums = f32x4.add(sums, v128.load(x + at));
    let sum = sumLanes(sums);
    for (; at < end; at += 4) sum += load<f32>(x + at);
    const mean: f32 = sum / <f32>width;
    const means = f32x4.splat(mean);
    sums = f32x4.splat(0);
    for (at = 0; at < whole; at += 16) {
      const centred = f32x4.sub(v128.load(x + at), means);
      sums = madd(centred, centred, sums);
    }
    let squares = sumLanes(sums);
    for (; at < end; at += 4) {
      const centred: f32 = load<f32>(x + at) - mean;
      squares += centred * centred;
    }
    const inverse: f32 = 1 / sqrt<f32>(squares / <f32>width + eps);
    const scale = f32x4.splat(inverse);
    for (at = 0; at < whole; at += 16) {
      const normed = f32x4.mul(f32x4.sub(v128.load(x + at), means), scale);
      v128.store(y + at, madd(normed, v128.load(weight + at), v128.load(bias + at)));
    }
    for (; at < end; at += 4) {
      store<f32>(y + at, (load<f32>(x + at) - mean) * inverse * load<f32>(weight + at) + load<f32>(bias + at));
    }
  }
}

/**
 * Sums of the columns of x [rows, width], in double precision: they may cancel almost wholly (ops/column-sums.ts).
 * @param scratch 8 bytes a column
 */
export function columnSums(x: usize, sums: usize, rows: i32, width: i32, scratch: usize): void {
  memory.fill(scratch, 0, <usize>width << 3);
  for (let row = 0; row < rows; row++, x += <usize>width << 2) {
    let column = 0;
    for (; column + 2 <= width; column += 2) {
      const to = scratch + (<usize>column << 3);
      v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(v128.load64_zero(x + (<usize>column << 2)))));
    }
    if (column < width) {
      const to = scratch + (<usize>column << 3);
      store<f64>(to, load<f64>(to) + <f64>load<f32>(x + (<usize>column << 2)));
    }
  }
  for (let column = 0; column < width; column++) {
    store<f32>(sums + (<usize>column << 2), <f32>load<f64>(scratch + (<usize>column << 3)));
  }
}
