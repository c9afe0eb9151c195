/**
 * One step of AdamW in place over `count` floats. `scale` is a factor on the gradient, `keep` = 1 − learning rate · weight decay,
 * `stepSize` and `rootCorrection` hold the bias corrections. In double precision inside, as ops/adamw/reference.ts.
 */
export function adamW(
  value: usize,
  first: usize,
  second: usize,
  gradient: usize,
  count: i32,
  scale: f64,
  beta1: f64,
  beta2: f64,
  eps: f64,
  keep: f64,
  stepSize: f64,
  rootCorrection: f64,
): void {
  const whole = <usize>(count & ~1) << 2;
  const end = <usize>count << 2;
  for (let at: usize = 0; at < whole; at += 8) {
    const g = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(gradient + at)), f64x2.splat(scale));
    const m = f64x2.promote_low_f32x4(v128.load64_zero(first + at));
    const v = f64x2.promote_low_f32x4(v128.load64_zero(second + at));
    const w = f64x2.promote_low_f32x4(v128.load64_zero(value + at));
    const mean = f64x2.add(f64x2.mul(f64x2.splat(beta1), m), f64x2.mul(f64x2.splat(1 - beta1), g));
    const square = f64x2.add(f64x2.mul(f64x2.splat(beta2), v), f64x2.mul(f64x2.mul(f64x2.splat(1 - beta2), g), g));
    v128.store64_lane(first + at, f32x4.demote_f64x2_zero(mean), 0);
    v128.store64_lane(second + at, f32x4.demote_f64x2_zero(square), 0);
    const root = f64x2.add(f64x2.div(f64x2.sqrt(square), f64x2.splat(rootCorrection)), f64x2.splat(eps));
    const next = f64x2.sub(f64x2.mul(f64x2.splat(keep), w), f64x2.div(f64x2.mul(f64x2.splat(stepSize), mean), root));
    v128.store64_lane(value + at, f32x4.demote_f64x2_zero(next), 0);
  }
  if (whole == end) return;
  const g = <f64>load<f32>(gradient + whole) * scale;
  const mean = beta1 * <f64>load<f32>(first + whole) + (1 - beta1) * g;
  const square = beta2 * <f64>load<f32>(second + whole) + (1 - beta2) * g * g;
  store<f32>(first + whole, <f32>mean);
  store<f32>(second + whole, <f32>square);
  store<f32>(value + whole, <f32>(keep * <f64>load<f32>(value + whole) - (stepSize * mean) / (sqrt<f64>(square) / rootCorrection + eps)));
}
