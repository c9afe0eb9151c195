import * as tf from '@tensorflow/tfjs';

import { WEBGPU_BACKEND } from './webgpu-program.ts';

// The wasm backend multiplies through XNNPACK only without transpose flags; with them a naive loop runs, 6–15 times slower.
const flagsAreFast = () => tf.getBackend() === WEBGPU_BACKEND;

/** a [m, k] · bᵀ, b [n, k] → [m, n]. */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return flagsAreFast() ? tf.matMul(a, b, false, true) : tf.tidy(() => tf.matMul(a, tf.transpose(b)));
}

/** aᵀ · b, a [k, m], b [k, n] → [m, n]. */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return flagsAreFast() ? tf.matMul(a, b, true, false) : tf.tidy(() => tf.matMul(tf.transpose(a) as tf.Tensor2D, b));
}
