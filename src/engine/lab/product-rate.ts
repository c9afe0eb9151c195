import * as tf from '@tensorflow/tfjs';

/**
 * How often a product of square matrices of a side is timed. Most are done within a millisecond, between two turns of other programs; one
 * that takes longer waits for those, and takes many times as long. A few are of a size that gets a graphics card going.
 */
const TRIES: readonly (readonly [side: number, times: number])[] = [
  [128, 32],
  [384, 4],
];

/**
 * Multiplications and additions a second in a plain matrix product, as many as the open backend does when nothing else wants the processor:
 * the most that any of the timings says.
 *
 * @param timed milliseconds of so many products of square matrices of this side, one after the other
 */
export async function productRate(timed: (side: number, times: number) => Promise<number[]> = timedProducts): Promise<number> {
  let most = 0;
  for (const [side, times] of TRIES) most = Math.max(most, (2 * side ** 3) / (Math.min(...(await timed(side, times))) / 1000));
  return most;
}

async function timedProducts(side: number, times: number): Promise<number[]> {
  const a = tf.ones([side, side]);
  const taken: number[] = [];
  try {
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      const product = tf.matMul(a, a);
      await product.data();
      product.dispose();
      taken.push(performance.now() - start);
    }
  } finally {
    a.dispose();
  }
  return taken;
}
