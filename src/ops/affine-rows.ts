import * as tf from '@tensorflow/tfjs';
import { unpackHalves } from '../numbers/half.ts';
import { unpackAffine, type AffineBits } from './affine.ts';

/** The tensors of a quantised matrix as an op gets them: scales and biases, or pairs of both. */
export interface HeldAffine {
  words: tf.Tensor2D;
  scales?: tf.Tensor2D;
  biases?: tf.Tensor2D;
  pairs?: tf.Tensor2D;
}

/** The f32 matrix [rows, columns] of a quantised one (./affine.ts). Reads synchronously: wasm and cpu backends. */
export function unpackAffineRows({ words, scales, biases, pairs }: HeldAffine, bits: AffineBits, groupSize: number): tf.Tensor2D {
  const sides = pairs ? apart(pairs) : { scales: scales!.dataSync(), biases: biases!.dataSync() };
  return tf.tensor2d(unpackAffine({ words: words.dataSync(), ...sides }, bits, groupSize), [words.shape[0], words.shape[1] * (32 / bits)]);
}

function apart(pairs: tf.Tensor2D): { scales: Float32Array; biases: Float32Array } {
  const halves = unpackHalves(pairs.dataSync(), pairs.size, 2);
  const every = (first: number) => Float32Array.from({ length: pairs.size }, (_, group) => halves[2 * group + first]!);
  return { scales: every(0), biases: every(1) };
}
