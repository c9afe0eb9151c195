/** The largest magnitude of `count` 16-bit floats from `at` on, as its bits: of halves 0x7c00 and above is not finite. */
export function largestMagnitude(at: usize, count: i32): i32 {
  const magnitude = i16x8.splat(0x7fff);
  let most = i16x8.splat(0);
  const whole = count & ~7;
  let i = 0;
  for (; i < whole; i += 8) most = i16x8.max_u(most, v128.and(v128.load(at + (<usize>i << 1)), magnitude));
  let result = largestLane(most);
  for (; i < count; i++) result = max(result, <i32>load<u16>(at + (<usize>i << 1)) & 0x7fff);
  return result;
}

/**
 * Turns `count` bfloat16s from `at` on into halves where they lie: exact for 2⁻¹⁴ ≤ |x| ≤ 65504, rounded to nearest even below,
 * infinity above.
 * @returns the largest magnitude that was there, as bfloat16's bits: 0x4780 and above is more than a half holds, 0x7f80 and above not finite
 */
export function halvesOfBfloats(at: usize, count: i32): i32 {
  let most = i16x8.splat(0);
  const whole = count & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    const place = at + (<usize>i << 1);
    const bits = v128.load(place);
    const magnitude = v128.and(bits, i16x8.splat(0x7fff));
    most = i16x8.max_u(most, magnitude);
    // The exponent is 112 less and has five bits of eight.
    let halves = i16x8.shl(i16x8.sub(magnitude, i16x8.splat(0x3800)), 3);
    const isSmall = i16x8.lt_s(magnitude, i16x8.splat(0x3880));
    if (v128.any_true(isSmall)) {
      const zero = i16x8.splat(0);
      const low = multiplesOfSmallest(v128.shuffle<u16>(zero, magnitude, 0, 8, 1, 9, 2, 10, 3, 11));
      const high = multiplesOfSmallest(v128.shuffle<u16>(zero, magnitude, 4, 12, 5, 13, 6, 14, 7, 15));
      halves = v128.bitselect(i16x8.narrow_i32x4_u(low, high), halves, isSmall);
    }
    const isLarge = i16x8.ge_s(magnitude, i16x8.splat(0x4780));
    halves = v128.bitselect(i16x8.splat(0x7c00), halves, isLarge);
    v128.store(place, v128.or(halves, v128.and(bits, i16x8.splat(<i16>0x8000))));
  }
  let result = largestLane(most);
  for (; i < count; i++) {
    const place = at + (<usize>i << 1);
    const bits = <i32>load<u16>(place);
    const magnitude = bits & 0x7fff;
    result = max(result, magnitude);
    let half = (magnitude - 0x3800) << 3;
    if (magnitude < 0x3880) half = <i32>nearest<f32>(reinterpret<f32>(magnitude << 16) * 16777216);
    if (magnitude >= 0x4780) half = 0x7c00;
    store<u16>(place, <u16>(half | (bits & 0x8000)));
  }
  return result;
}

/** Floats below 2⁻¹⁴ as subnormal halves, which are multiples of 2⁻²⁴. */
// @ts-ignore: decorator
@inline
function multiplesOfSmallest(floats: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(floats, f32x4.splat(16777216))));
}

function largestLane(lanes: v128): i32 {
  let most = i16x8.max_u(lanes, v128.shuffle<u16>(lanes, lanes, 4, 5, 6, 7, 0, 1, 2, 3));
  most = i16x8.max_u(most, v128.shuffle<u16>(most, most, 2, 3, 0, 1, 6, 7, 4, 5));
  most = i16x8.max_u(most, v128.shuffle<u16>(most, most, 1, 0, 3, 2, 5, 4, 7, 6));
  return <i32>i16x8.extract_lane_u(most, 0);
}
