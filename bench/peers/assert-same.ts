/**
 * Another model would be no peer.
 * @param most difference, of the largest value
 * @throws Error when they differ by more
 */
export function assertSame(ours: Float32Array, theirs: Float32Array, most: number): void {
  let [largest, difference] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    largest = Math.max(largest, Math.abs(ours[i]!));
    difference = Math.max(difference, Math.abs(ours[i]! - theirs[i]!));
  }
  process.stderr.write(`results differ by ${(difference / largest).toPrecision(2)} of the largest\n`);
  if (ours.length !== theirs.length || !(difference < most * largest)) {
    throw new Error(`Results differ by ${difference / largest} of the largest: these are not the same model.`);
  }
}
