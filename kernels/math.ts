/** Four lanes at a time, as every kernel computes. */

/** a · b + c, in one rounding where the machine has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sumLanes(a: v128): f32 {
  const pairs = f32x4.add(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Lane i of the result is the sum of the lanes of the i-th operand. */
// @ts-ignore: decorator
@inline
export function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/**
 * eˣ within 2e-7 of its value; 0 below −87, where a float has nothing left. x = n·ln 2 + r, and eʳ is a polynomial (Cephes `expf`).
 */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  const isLost = f32x4.lt(x, f32x4.splat(-87));
  const bounded = f32x4.pmin(x, f32x4.splat(88.3));
  // 1.5 · 2²³ more, and a float has no room for a fraction: rounded, with n in its lowest bits.
  const shifted = f32x4.add(f32x4.mul(bounded, f32x4.splat(1.44269504)), f32x4.splat(12582912));
  const n = f32x4.sub(shifted, f32x4.splat(12582912));
  let r = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = madd(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), isLost);
}

/** 1 / (1 + e⁻ˣ) */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  // Of −|x|, so that nothing grows beyond a float.
  const small = exp(f32x4.neg(f32x4.abs(x)));
  const one = f32x4.splat(1);
  const ofNegative = f32x4.div(small, f32x4.add(one, small));
  return v128.bitselect(ofNegative, f32x4.sub(one, ofNegative), f32x4.lt(x, f32x4.splat(0)));
}

/** Φ(x), the normal distribution function, within 2e-7 (Abramowitz & Stegun 7.1.26 for erf). */
// @ts-ignore: decorator
@inline
export function normalDistribution(x: v128): v128 {
  const one = f32x4.splat(1);
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(0.70710678));
  const t = f32x4.div(one, madd(z, f32x4.splat(0.3275911), one));
  let p = madd(f32x4.splat(1.061405429), t, f32x4.splat(-1.453152027));
  p = madd(p, t, f32x4.splat(1.421413741));
  p = madd(p, t, f32x4.splat(-0.284496736));
  p = madd(p, t, f32x4.splat(0.254829592));
  // Half of erfc(|x| / √2), which is Φ(−|x|).
  const tail = f32x4.mul(f32x4.mul(f32x4.splat(0.5), f32x4.mul(p, t)), exp(f32x4.neg(f32x4.mul(z, z))));
  return v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(x, f32x4.splat(0)));
}
