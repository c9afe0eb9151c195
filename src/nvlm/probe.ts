import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';

/** Self-attention reads the sequence, gated cross-attention the image's keys. */
export type AttentionKind = 'self' | 'cross';

/**
 * What an observer of the decoder is shown while it computes, and what it may change. Without one nothing is kept and nothing is
 * computed twice. Tensors are the decoder's: `tf.keep` what is made of them, they themselves go.
 */
export interface DecoderProbe {
  /**
   * The queries of a layer, rotated where the layer rotates them: with the keys of the cache they give any row of its attention.
   *
   * @param q [R, heads · headDim]
   * @param start position of the first row
   */
  queries?(kind: AttentionKind, layer: number, q: Tensor2D, start: number): void;
  /** The residual stream [R, C] after a layer. */
  residual?(layer: number, x: Tensor2D): void;
  /** By layer: what cross-attention is multiplied with, a scalar or [1], in place of the learnt tanh(g). */
  gates?: ReadonlyMap<number, Tensor1D>;
}
