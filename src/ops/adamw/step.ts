import type * as tf from '@tensorflow/tfjs';

/** What one step of AdamW needs besides the tensors. */
export interface AdamWStep {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** Steps this tensor has taken, this one included: 1 at the first. */
  count: number;
  /** Factor on the gradient: clipping. */
  gradientScale: number;
}

/** A trained tensor and its moments, all f32 of one shape. */
export interface AdamWTensors {
  value: tf.Variable;
  /** Running mean of the gradient. */
  first: tf.Variable;
  /** Running mean of the squared gradient. */
  second: tf.Variable;
}

/** Step size and the divisor of √second, with both moments' bias corrections in them. */
export function corrections({ learningRate, beta1, beta2, count }: AdamWStep): {
  stepSize: number;
  rootCorrection: number;
} {
  return { stepSize: learningRate / (1 - beta1 ** count), rootCorrection: Math.sqrt(1 - beta2 ** count) };
}
