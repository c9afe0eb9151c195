import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../../tests/support/op-cases.ts';
import { pixelShuffle } from './pixel-shuffle.ts';

forEachBackend((_, device) => {
  test('joins 2 × 2 patches, v1 with the output grid transposed', async () => {
    const results = tf.tidy(() => {
      // 4 × 4 patches of two channels: the patch's number, and its negative; a second tile counts on from 100.
      const patch = Array.from({ length: 16 }, (_, p) => [p, -p]);
      const x = tf.tensor3d([patch, patch.map(([a, b]) => [100 + a!, b! - 100])]);
      const gradient = tf.grad((input) =>
        pixelShuffle(input as tf.Tensor3D, 'v1')
          .square()
          .sum()
          .div(2),
      )(x);
      return [pixelShuffle(x, 'v2'), pixelShuffle(x, 'v1'), gradient, x];
    });
    const [v2, v1, gradient, x] = await Promise.all(results.map((result) => device().read(result)));
    expect(results[0]!.shape).toEqual([2, 4, 8]);
    const token = (r: number, q: number) => [0, 1, 4, 5].map((offset) => 8 * r + 2 * q + offset).flatMap((p) => [p, p === 0 ? -0 : -p]);
    expect([...v2!.slice(0, 32)]).toEqual([...token(0, 0), ...token(0, 1), ...token(1, 0), ...token(1, 1)]);
    expect([...v1!.slice(0, 32)]).toEqual([...token(0, 0), ...token(1, 0), ...token(0, 1), ...token(1, 1)]);
    expect(v2![32]).toBe(100);
    // The gradient of half the sum of squares is the input itself when every value went somewhere once.
    expect(gradient).toEqual(x);
    tf.dispose(results);
  });

  test('joins 4 × 4 patches row by row', async () => {
    const shuffled = tf.tidy(() => pixelShuffle(tf.range(0, 64).reshape([1, 64, 1]), 'v2', 4));
    const token = (r: number, q: number) => [0, 1, 2, 3].flatMap((row) => [0, 1, 2, 3].map((col) => 8 * (4 * r + row) + 4 * q + col));
    expect(shuffled.shape).toEqual([1, 4, 16]);
    expect([...(await device().read(shuffled))]).toEqual([...token(0, 0), ...token(0, 1), ...token(1, 0), ...token(1, 1)]);
    shuffled.dispose();
  });

  test('wants a square of patches that the factor divides', () => {
    tf.tidy(() => {
      expect(() => pixelShuffle(tf.zeros([1, 36, 2]), 'v2', 4)).toThrow('36 patches');
      expect(() => pixelShuffle(tf.zeros([1, 9, 2]), 'v2')).toThrow('9 patches');
      expect(() => pixelShuffle(tf.zeros([1, 8, 2]), 'v2')).toThrow('8 patches');
    });
  });
});
