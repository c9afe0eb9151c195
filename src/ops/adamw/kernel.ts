import type * as tf from '@tensorflow/tfjs';

import { addressOf, wasmKernels } from '../../device/wasm-kernels.ts';
import { corrections, type AdamWStep, type AdamWTensors } from './step.ts';

/** In place in wasm's memory. */
export function adamWKernel({ value, first, second }: AdamWTensors, gradient: tf.Tensor, step: AdamWStep): void {
  const { learningRate, beta1, beta2, eps, weightDecay, gradientScale } = step;
  const { stepSize, rootCorrection } = corrections(step);
  const addresses = [value, first, second, gradient].map(addressOf);
  wasmKernels()!.adamW(
    ...addresses,
    value.size,
    gradientScale,
    beta1,
    beta2,
    eps,
    1 - learningRate * weightDecay,
    stepSize,
    rootCorrection,
  );
}
