import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import type { AffineBits } from './affine.ts';

/**
 * A matrix applied to rows from the right: y = x · W (+ bias).
 *
 * `f32` is held input-major, [in, out], the one orientation in which every backend multiplies fast (wasm is several
 * times slower with a transposed operand). `f16` is the checkpoint's own orientation, output-major, two halves a 32-bit
 * word in an int32 tensor [out, ceil(in / 2)], low half first. `affine` is output-major too, 4- or 8-bit numbers with a
 * scale and a bias a group of columns (./affine.ts). Stock ops, where a device has no kernels of ours, unpack both at every use.
 */
export type PlainWeight =
  | { kind: 'f32'; inFeatures: number; outFeatures: number; data: Tensor2D }
  | { kind: 'f16'; inFeatures: number; outFeatures: number; data: Tensor2D }
  | ({ kind: 'affine'; inFeatures: number; outFeatures: number } & AffineTensors);

/** A matrix whose tensor would be larger than a device binds at once, cut between outputs; the parts stand in order. */
export type LinearWeight = PlainWeight | { kind: 'parts'; inFeatures: number; outFeatures: number; parts: PlainWeight[] };

/** A quantised matrix [rows, columns] on the device, see ./affine.ts; columns are a multiple of the group size. */
export type AffineTensors = {
  bits: AffineBits;
  /** 32, 64 or 128 */
  groupSize: number;
  /** int32 [rows, columns · bits / 32] */
  data: Tensor2D;
} & AffineSides;

/**
 * Scales and biases of a quantised matrix's groups, [rows, columns / groupSize]: f32 each; or, on WebGPU and where halves hold them exactly,
 * `pairs` in int32, a group's scale in the low half of a word and its bias in the high one (./pair-sides.ts).
 */
export type AffineSides =
  | { scales: Tensor2D; biases: Tensor2D; pairs?: undefined }
  | { pairs: Tensor2D; scales?: undefined; biases?: undefined };

/** Token embedding table: f32 [vocab, width], packed halves in int32 [vocab, ceil(width / 2)], or quantised. */
export type PlainTable =
  | { kind: 'f32'; vocab: number; width: number; data: Tensor2D }
  | { kind: 'f16'; vocab: number; width: number; data: Tensor2D }
  | ({ kind: 'affine'; vocab: number; width: number } & AffineTensors);

/** As {@link LinearWeight}, cut between ids. */
export type EmbeddingTable = PlainTable | { kind: 'parts'; vocab: number; width: number; parts: PlainTable[] };

export type Bias = Tensor1D | null;
