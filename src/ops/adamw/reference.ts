import * as tf from '@tensorflow/tfjs';

import { corrections, type AdamWStep, type AdamWTensors } from './step.ts';

/**
 * On the host, where the tensors of the wasm and cpu backends lie anyway: one pass over memory, where stock ops would
 * make ten.
 */
export function adamWReference({ value, first, second }: AdamWTensors, gradient: tf.Tensor, step: AdamWStep): void {
  const { learningRate, beta1, beta2, eps, weightDecay, gradientScale } = step;
  const { stepSize, rootCorrection } = corrections(step);
  const g = gradient.dataSync<'float32'>();
  // Copies: the cpu backend hands out its own arrays.
  const w = value.dataSync<'float32'>().slice();
  const m = first.dataSync<'float32'>().slice();
  const v = second.dataSync<'float32'>().slice();
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < w.length; i++) {
    const scaled = g[i]! * gradientScale;
    const mean = beta1 * m[i]! + (1 - beta1) * scaled;
    const square = beta2 * v[i]! + (1 - beta2) * scaled * scaled;
    m[i] = mean;
    v[i] = square;
    w[i] = keep * w[i]! - (stepSize * mean) / (Math.sqrt(square) / rootCorrection + eps);
  }
  tf.tidy(() => {
    for (const [variable, values] of [
      [value, w],
      [first, m],
      [second, v],
    ] as const) {
      variable.assign(tf.tensor(values, variable.shape));
    }
  });
}
