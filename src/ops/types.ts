import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';

/**
 * A matrix applied to rows from the right: y = x · W (+ bias).
 *
 * `f32` is held input-major, [in, out], the one orientation in which every backend multiplies fast (wasm is several
 * times slower with a transposed operand). `f16` is the checkpoint's own orientation, output-major, two halves a 32-bit
 * word in an int32 tensor [out, ceil(in / 2)], low half first; only the WebGPU backend computes with it.
 */
export type LinearWeight =
  | { kind: 'f32'; inFeatures: number; outFeatures: number; data: Tensor2D }
  | { kind: 'f16'; inFeatures: number; outFeatures: number; data: Tensor2D };

/** Token embedding table: f32 [vocab, width], or packed halves in int32 [vocab, ceil(width / 2)]. */
export type EmbeddingTable =
  | { kind: 'f32'; vocab: number; width: number; data: Tensor2D }
  | { kind: 'f16'; vocab: number; width: number; data: Tensor2D };

export type Bias = Tensor1D | null;
