import { exp, madd, normalDistribution, sigmoid } from './math';

// Which function `compute` is: a constant wherever it is inlined.
const SWIGLU = 0;
const SWIGLU_GATE_GRADIENT = 1;
const GELU = 2;
const GELU_GRADIENT = 3;
const GELU_TANH = 4;
const GELU_TANH_GRADIENT = 5;

/** 2 · √(2 / π) · (x + 0.044715 · x³): with it (1 + tanh(half of it)) / 2 is its sigmoid. */
// @ts-ignore: decorator
@inline
function innerOfTanh(x: v128): v128 {
  return f32x4.mul(x, madd(f32x4.mul(x, x), f32x4.splat(0.071354814), f32x4.splat(1.5957691)));
}

// @ts-ignore: decorator
@inline
function compute(which: i32, a: v128, b: v128, c: v128): v128 {
  const one = f32x4.splat(1);
  if (which == SWIGLU) return f32x4.mul(f32x4.mul(a, sigmoid(a)), b);
  if (which == SWIGLU_GATE_GRADIENT) {
    const s = sigmoid(b);
    return f32x4.mul(f32x4.mul(a, c), f32x4.mul(s, madd(b, f32x4.sub(one, s), one)));
  }
  if (which == GELU) return f32x4.mul(a, normalDistribution(a));
  if (which == GELU_TANH) return f32x4.mul(a, sigmoid(innerOfTanh(a)));
  if (which == GELU_TANH_GRADIENT) {
    const s = sigmoid(innerOfTanh(b));
    const slope = madd(f32x4.mul(b, b), f32x4.splat(0.21406863), f32x4.splat(1.5957691));
    return f32x4.mul(a, madd(f32x4.mul(f32x4.mul(b, slope), s), f32x4.sub(one, s), s));
  }
  const density = f32x4.mul(f32x4.splat(0.39894228), exp(f32x4.mul(f32x4.splat(-0.5), f32x4.mul(b, b))));
  return f32x4.mul(a, madd(b, density, normalDistribution(b)));
}

/** Over `count` floats, four at a time; the last, fewer than four, one by one. */
// @ts-ignore: decorator
@inline
function forEach(which: i32, a: usize, b: usize, c: usize, out: usize, count: i32): void {
  const whole = <usize>(count & ~3) << 2;
  const end = <usize>count << 2;
  let at: usize = 0;
  for (; at < whole; at += 16) {
    v128.store(out + at, compute(which, v128.load(a + at), v128.load(b + at), v128.load(c + at)));
  }
  for (; at < end; at += 4) {
    const value = compute(which, v128.load32_zero(a + at), v128.load32_zero(b + at), v128.load32_zero(c + at));
    v128.store32_lane(out + at, value, 0);
  }
}

/** out = gate · sigmoid(gate) · up */
export function swiglu(gate: usize, up: usize, out: usize, count: i32): void {
  forEach(SWIGLU, gate, up, up, out, count);
}

/** out = dy · up · s · (1 + gate · (1 − s)), s = sigmoid(gate) */
export function swigluGateGradient(dy: usize, gate: usize, up: usize, out: usize, count: i32): void {
  forEach(SWIGLU_GATE_GRADIENT, dy, gate, up, out, count);
}

/** out = x · Φ(x) */
export function gelu(x: usize, out: usize, count: i32): void {
  forEach(GELU, x, x, x, out, count);
}

/** out = dy · (Φ(x) + x · φ(x)) */
export function geluGradient(dy: usize, x: usize, out: usize, count: i32): void {
  forEach(GELU_GRADIENT, dy, x, x, out, count);
}

/** The same with the tanh form of Φ, as PyTorch's `approximate='tanh'`. */
export function geluTanh(x: usize, out: usize, count: i32): void {
  forEach(GELU_TANH, x, x, x, out, count);
}

export function geluTanhGradient(dy: usize, x: usize, out: usize, count: i32): void {
  forEach(GELU_TANH_GRADIENT, dy, x, x, out, count);
}
