import { madd } from './math';

/**
 * Turns the pairs (i, i + half) of every head of x [rows, heads · 2 · half] by the angles whose cosines and sines are in `turns`,
 * [rows, 2, half]. `direction` −1 turns back.
 */
export function rope(x: usize, turns: usize, y: usize, rows: i32, heads: i32, half: i32, direction: f32): void {
  const halfBytes = <usize>half << 2;
  const whole = <usize>(half & ~3) << 2;
  const sign = f32x4.splat(direction);
  for (let row = 0; row < rows; row++, turns += 2 * halfBytes) {
    for (let head = 0; head < heads; head++, x += 2 * halfBytes, y += 2 * halfBytes) {
      let at: usize = 0;
      for (; at < whole; at += 16) {
        const cos = v128.load(turns + at);
        const sin = f32x4.mul(v128.load(turns + halfBytes + at), sign);
        const first = v128.load(x + at);
        const second = v128.load(x + halfBytes + at);
        v128.store(y + at, f32x4.sub(f32x4.mul(first, cos), f32x4.mul(second, sin)));
        v128.store(y + halfBytes + at, madd(second, cos, f32x4.mul(first, sin)));
      }
      for (; at < halfBytes; at += 4) {
        const cos = load<f32>(turns + at);
        const sin = load<f32>(turns + halfBytes + at) * direction;
        const first = load<f32>(x + at);
        const second = load<f32>(x + halfBytes + at);
        store<f32>(y + at, first * cos - second * sin);
        store<f32>(y + halfBytes + at, second * cos + first * sin);
      }
    }
  }
}
