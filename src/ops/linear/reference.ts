import * as tf from '@tensorflow/tfjs';

import type { AffineBits } from '../affine.ts';
import { unpackAffineRows, type HeldAffine } from '../affine-rows.ts';
import { unpackHalves } from '../../numbers/half.ts';

/** x [R, in] · weight [in, out] + bias [out]. */
export function linearReference(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D | undefined): tf.Tensor2D {
  const product: tf.Tensor2D = tf.matMul(x, weight);
  return bias ? (tf.add(product, bias) as tf.Tensor2D) : product;
}

/**
 * The f32 matrix [in, out] of packed halves [out, ceil(in / 2)]. Reads the tensor synchronously: wasm and cpu backends.
 */
export function unpackWeight(packed: tf.Tensor2D, inFeatures: number): tf.Tensor2D {
  const outFeatures = packed.shape[0];
  return tf.tidy(() => {
    const rows = tf.tensor2d(unpackHalves(packed.dataSync(), outFeatures, inFeatures), [outFeatures, inFeatures]);
    return tf.transpose(rows) as tf.Tensor2D;
  });
}

/** The f32 matrix [in, out] of a quantised one [out, in] (../affine.ts). Reads synchronously: wasm and cpu backends. */
export function unpackAffineWeight(weight: HeldAffine, { bits, groupSize }: { bits: AffineBits; groupSize: number }): tf.Tensor2D {
  return tf.tidy(() => tf.transpose(unpackAffineRows(weight, bits, groupSize)) as tf.Tensor2D);
}
