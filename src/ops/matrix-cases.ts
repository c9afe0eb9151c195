import * as tf from '@tensorflow/tfjs';

import { sidesOf, type AffineBits } from './affine.ts';
import { unpackAffineRows } from './affine-rows.ts';
import { embed } from './embed/embed.ts';
import { embedReference, unpackTable } from './embed/reference.ts';
import { linear } from './linear/linear.ts';
import { linearReference, unpackAffineWeight, unpackWeight } from './linear/reference.ts';
import { floats, halves, type OpCase, paired, quantised, randomIntegers } from './op-case.ts';

export function linearCase(kind: 'f32' | 'f16', rows: number, inFeatures: number, outFeatures: number, withBias: boolean): OpCase {
  return {
    op: 'linear',
    case: `${kind} [${rows}, ${inFeatures}] × [${inFeatures}, ${outFeatures}]${withBias ? ' + bias' : ''}`,
    bound: 1e-5,
    inputs: () => ({
      x: floats([rows, inFeatures], 1),
      weight: kind === 'f32' ? floats([inFeatures, outFeatures], 2) : halves(outFeatures, inFeatures, 2),
      ...(withBias && { bias: floats([outFeatures], 3) }),
    }),
    differentiable: ['x', ...(kind === 'f32' ? ['weight'] : []), ...(withBias ? ['bias'] : [])],
    run: ({ x, weight, bias }) =>
      linear(x as tf.Tensor2D, { kind, inFeatures, outFeatures, data: weight as tf.Tensor2D }, (bias as tf.Tensor1D | undefined) ?? null),
    reference: ({ x, weight, bias }) => {
      const matrix = kind === 'f32' ? (weight as tf.Tensor2D) : unpackWeight(weight as tf.Tensor2D, inFeatures);
      return linearReference(x as tf.Tensor2D, matrix, bias as tf.Tensor1D | undefined);
    },
  };
}

export function affineLinearCase(
  bits: AffineBits,
  groupSize: number,
  rows: number,
  inFeatures: number,
  outFeatures: number,
  withBias: boolean,
): OpCase {
  return {
    op: 'linear',
    case: `${bits}-bit/${groupSize} [${rows}, ${inFeatures}] × [${inFeatures}, ${outFeatures}]${withBias ? ' + bias' : ''}`,
    bound: 1e-5,
    inputs: () => ({
      x: floats([rows, inFeatures], 1),
      ...quantised(outFeatures, inFeatures, bits, groupSize, 40),
      ...(withBias && { bias: floats([outFeatures], 3) }),
    }),
    differentiable: ['x', ...(withBias ? ['bias'] : [])],
    run: ({ x, words, bias, ...sides }) =>
      linear(
        x as tf.Tensor2D,
        {
          kind: 'affine',
          bits,
          groupSize,
          inFeatures,
          outFeatures,
          data: words as tf.Tensor2D,
          ...sidesOf<tf.Tensor2D>(sides),
        },
        (bias as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ x, words, bias, ...sides }) => {
      const weight = { words: words as tf.Tensor2D, ...sidesOf<tf.Tensor2D>(sides) };
      const matrix = unpackAffineWeight(weight, { bits, groupSize });
      return linearReference(x as tf.Tensor2D, matrix, bias as tf.Tensor1D | undefined);
    },
  };
}

export function embedCase(kind: 'f32' | 'f16', rows: number, vocab: number, width: number, visualRows: number): OpCase {
  return {
    op: 'embed',
    case: `${kind} ${rows} of [${vocab}, ${width}]${visualRows ? ` with ${visualRows} visual` : ''}`,
    bound: 1e-5,
    inputs: () => ({
      // Fewer ids than rows, so that some repeat.
      ids: randomIntegers([rows], 18, 0, vocab),
      table: kind === 'f32' ? floats([vocab, width], 19) : halves(vocab, width, 19),
      ...(visualRows && { visual: floats([visualRows, width], 20), slots: randomIntegers([rows], 21, -2, visualRows) }),
    }),
    differentiable: [...(kind === 'f32' ? ['table'] : []), ...(visualRows ? ['visual'] : [])],
    run: ({ ids, table, visual, slots }) =>
      embed(
        ids as tf.Tensor1D,
        { kind, vocab, width, data: table as tf.Tensor2D },
        (visual as tf.Tensor2D | undefined) ?? null,
        (slots as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ ids, table, visual, slots }) =>
      embedReference(
        ids as tf.Tensor1D,
        kind === 'f32' ? (table as tf.Tensor2D) : unpackTable(table as tf.Tensor2D, width),
        visual as tf.Tensor2D | undefined,
        slots as tf.Tensor1D | undefined,
      ),
  };
}

export function affineEmbedCase(
  bits: AffineBits,
  groupSize: number,
  rows: number,
  vocab: number,
  width: number,
  visualRows: number,
): OpCase {
  return {
    op: 'embed',
    case: `${bits}-bit/${groupSize} ${rows} of [${vocab}, ${width}]${visualRows ? ` with ${visualRows} visual` : ''}`,
    bound: 1e-5,
    inputs: () => ({
      ids: randomIntegers([rows], 18, 0, vocab),
      ...quantised(vocab, width, bits, groupSize, 44),
      ...(visualRows && { visual: floats([visualRows, width], 20), slots: randomIntegers([rows], 21, -2, visualRows) }),
    }),
    differentiable: visualRows ? ['visual'] : [],
    run: ({ ids, words, visual, slots, ...sides }) =>
      embed(
        ids as tf.Tensor1D,
        {
          kind: 'affine',
          bits,
          groupSize,
          vocab,
          width,
          data: words as tf.Tensor2D,
          ...sidesOf<tf.Tensor2D>(sides),
        },
        (visual as tf.Tensor2D | undefined) ?? null,
        (slots as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ ids, words, visual, slots, ...sides }) =>
      embedReference(
        ids as tf.Tensor1D,
        unpackAffineRows({ words: words as tf.Tensor2D, ...sidesOf<tf.Tensor2D>(sides) }, bits, groupSize),
        visual as tf.Tensor2D | undefined,
        slots as tf.Tensor1D | undefined,
      ),
  };
}

/** A case of a quantised matrix once more, with its scales and biases in pairs. */
export function withPairedSides(opCase: OpCase): OpCase {
  return {
    ...opCase,
    case: `${opCase.case}, paired`,
    onlyOn: 'webgpu',
    inputs: () => {
      const { words, scales, biases, ...others } = opCase.inputs();
      return { ...others, ...paired({ words: words!, scales: scales!, biases: biases! }) };
    },
  };
}
