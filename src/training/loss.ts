import * as tf from '@tensorflow/tfjs';
import type { Scalar } from '@tensorflow/tfjs';
import type { LayerRunner } from '../nvlm/decoder.ts';
import type { NvlmModel, Sample } from '../nvlm/model.ts';
import { crossEntropy } from '../ops/cross-entropy/cross-entropy.ts';
import { embed } from '../ops/embed/embed.ts';
import type { TokenPlan } from '../text/types.ts';
import { isLearnt } from './labels.ts';

/** One sequence to learn from: its tokens, and which of them are learnt. */
export type LabelledPlan = Sample['plan'] & Pick<TokenPlan, 'labels'>;

/**
 * Cross-entropy summed over the labelled tokens, each predicted from the position before it. The head runs on those
 * rows alone: with a large vocabulary and a long picture it would be most of the work.
 */
export function summedLoss(
  model: NvlmModel,
  samples: readonly (Sample & { plan: LabelledPlan })[],
  runLayer?: LayerRunner,
): Scalar {
  const hidden = model.hiddenStates(samples, runLayer);
  const [rows, width] = hidden.shape;
  const length = rows / samples.length;
  const places: number[] = [];
  const labels: number[] = [];
  samples.forEach(({ plan }, sample) => {
    plan.labels.forEach((label, position) => {
      if (!isLearnt(label, position)) return;
      places.push(sample * length + position - 1);
      labels.push(label);
    });
  });
  // `embed` is a gather whose gradient every backend has.
  const table = { kind: 'f32' as const, vocab: rows, width, data: hidden };
  const picked = embed(tf.tensor1d(places, 'int32'), table, null, null);
  return crossEntropy(model.logits(picked), tf.tensor1d(labels, 'int32')).loss;
}
