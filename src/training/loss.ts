import * as tf from '@tensorflow/tfjs';
import type { Scalar, Tensor2D } from '@tensorflow/tfjs';
import type { LayerRunner } from '../nvlm/decoder.ts';
import type { NvlmModel, Sample } from '../nvlm/model.ts';
import { crossEntropy } from '../ops/cross-entropy/cross-entropy.ts';
import { embed } from '../ops/embed/embed.ts';
import type { TokenPlan } from '../text/types.ts';
import { isLearnt } from './labels.ts';

/** One sequence to learn from: its tokens, and which of them are learnt. */
export type LabelledPlan = Sample['plan'] & Pick<TokenPlan, 'labels'>;

export interface LossOptions {
  runLayer?: LayerRunner;
  /** Whether samples with one picture (one `features` tensor) share the computation of it. */
  pack?: boolean;
}

/**
 * Cross-entropy summed over the labelled tokens, each predicted from the position before it. The head runs on those
 * rows alone: with a large vocabulary and a long picture it would be most of the work.
 */
export function summedLoss(
  model: NvlmModel,
  samples: readonly (Sample & { plan: LabelledPlan })[],
  { runLayer, pack = false }: LossOptions = {},
): Scalar {
  const { hidden, rowOf } = pack
    ? model.sharedHiddenStates(samples, runLayer)
    : apart(model.hiddenStates(samples, runLayer), samples.length);
  const [rows, width] = hidden.shape;
  const places: number[] = [];
  const labels: number[] = [];
  samples.forEach(({ plan }, sample) => {
    plan.labels.forEach((label, position) => {
      if (!isLearnt(label, position)) return;
      places.push(rowOf(sample, position - 1));
      labels.push(label);
    });
  });
  // `embed` is a gather whose gradient every backend has.
  const table = { kind: 'f32' as const, vocab: rows, width, data: hidden };
  const picked = embed(tf.tensor1d(places, 'int32'), table, null, null);
  return crossEntropy(model.logits(picked), tf.tensor1d(labels, 'int32')).loss;
}

function apart(hidden: Tensor2D, samples: number): ReturnType<NvlmModel['sharedHiddenStates']> {
  const length = hidden.shape[0] / samples;
  return { hidden, rowOf: (sample, position) => sample * length + position };
}
