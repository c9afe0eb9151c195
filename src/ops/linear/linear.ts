import * as tf from '@tensorflow/tfjs';

import { checkShape, defineOp } from '../define-op.ts';
import { columnSums } from '../column-sums.ts';
import { timesTransposed, transposedTimes } from '../products.ts';
import { sidesOf, type AffineBits } from '../affine.ts';
import { checkAffine } from '../check-affine.ts';
import type { Bias, LinearWeight, PlainWeight } from '../types.ts';
import { affineOf, f32Of, halvesOf, productKernel } from './kernel.ts';
import {
  linearAffineGradientProgram,
  linearAffineProgram,
  linearF16GradientProgram,
  linearF16Program,
  linearF32Program,
  timesTransposedProgram,
  transposedTimesProgram,
} from './program.ts';
import { linearReference, unpackAffineWeight, unpackWeight } from './reference.ts';

type F32Inputs = { x: tf.Tensor2D; weight: tf.Tensor2D; bias?: tf.Tensor1D };
type F16Inputs = { x: tf.Tensor2D; packed: tf.Tensor2D; bias?: tf.Tensor1D };
/** Scales and biases, or both in pairs: AffineSides in ../types.ts. */
type Sides = { scales?: tf.Tensor2D; biases?: tf.Tensor2D; pairs?: tf.Tensor2D };
type AffineInputs = Sides & { x: tf.Tensor2D; words: tf.Tensor2D; bias?: tf.Tensor1D };
type AffineLayout = { bits: AffineBits; groupSize: number };

type ProductInputs = { a: tf.Tensor2D; b: tf.Tensor2D };

/** a · bᵀ */
const rowsTimesRows = defineOp<ProductInputs, object>({
  name: 'NvlmTimesTransposed',
  required: ['a', 'b'],
  reference: ({ a, b }) => timesTransposed(a, b),
  program: ({ a, b }) => timesTransposedProgram(a, b),
  kernel: ({ a, b }) => productKernel(a, f32Of(b), { bTransposed: true }),
});

/** aᵀ · b */
const columnsTimesColumns = defineOp<ProductInputs, object>({
  name: 'NvlmTransposedTimes',
  required: ['a', 'b'],
  reference: ({ a, b }) => transposedTimes(a, b),
  program: ({ a, b }) => transposedTimesProgram(a, b),
  kernel: ({ a, b }) => productKernel(a, f32Of(b), { aTransposed: true }),
});

const linearF32 = defineOp<F32Inputs, object>({
  name: 'NvlmLinear',
  required: ['x', 'weight'],
  optional: ['bias'],
  reference: ({ x, weight, bias }) => linearReference(x, weight, bias),
  program: ({ x, weight, bias }) => linearF32Program(x, weight, bias),
  kernel: ({ x, weight, bias }) => productKernel(x, f32Of(weight), { bias }),
  gradient: {
    save: ['x', 'weight'],
    of: (dy, { x, weight }) => ({
      x: () => rowsTimesRows({ a: dy as tf.Tensor2D, b: weight }, {}),
      weight: () => columnsTimesColumns({ a: x, b: dy as tf.Tensor2D }, {}),
      bias: () => columnSums(dy),
    }),
  },
});

const linearF16Gradient = defineOp<{ dy: tf.Tensor2D; packed: tf.Tensor2D }, { inFeatures: number }>({
  name: 'NvlmLinearF16Gradient',
  required: ['dy', 'packed'],
  reference: ({ dy, packed }, { inFeatures }) => timesTransposed(dy, unpackWeight(packed, inFeatures)),
  program: ({ dy, packed }, { inFeatures }) => linearF16GradientProgram(dy, packed, inFeatures),
  kernel: ({ dy, packed }, { inFeatures }) => productKernel(dy, halvesOf(packed, inFeatures), {}),
});

const linearF16 = defineOp<F16Inputs, { inFeatures: number }>({
  name: 'NvlmLinearF16',
  required: ['x', 'packed'],
  optional: ['bias'],
  reference: ({ x, packed, bias }, { inFeatures }) => linearReference(x, unpackWeight(packed, inFeatures), bias),
  program: ({ x, packed, bias }) => linearF16Program(x, packed, bias),
  kernel: ({ x, packed, bias }, { inFeatures }) => productKernel(x, halvesOf(packed, inFeatures), { bTransposed: true, bias }),
  gradient: {
    save: ['packed'],
    of: (dy, { packed }, { inFeatures }) => ({
      x: () => linearF16Gradient({ dy: dy as tf.Tensor2D, packed }, { inFeatures }),
      bias: () => columnSums(dy),
    }),
  },
});

const linearAffineGradient = defineOp<Omit<AffineInputs, 'x' | 'bias'> & { dy: tf.Tensor2D }, AffineLayout>({
  name: 'NvlmLinearAffineGradient',
  required: ['dy', 'words'],
  optional: ['scales', 'biases', 'pairs'],
  reference: ({ dy, ...weight }, layout) => timesTransposed(dy, unpackAffineWeight(weight, layout)),
  program: ({ dy, ...weight }, layout) => linearAffineGradientProgram(dy, weight, layout),
  kernel: ({ dy, ...weight }, layout) => productKernel(dy, affineOf(weight, layout), {}),
});

const linearAffine = defineOp<AffineInputs, AffineLayout>({
  name: 'NvlmLinearAffine',
  required: ['x', 'words'],
  optional: ['scales', 'biases', 'pairs', 'bias'],
  reference: ({ x, bias, ...weight }, layout) => linearReference(x, unpackAffineWeight(weight, layout), bias),
  program: ({ x, bias, ...weight }, layout) => linearAffineProgram(x, weight, layout, bias),
  kernel: ({ x, bias, ...weight }, layout) => productKernel(x, affineOf(weight, layout), { bTransposed: true, bias }),
  gradient: {
    save: ['words', 'scales', 'biases', 'pairs'],
    of: (dy, { words, scales, biases, pairs }, layout) => ({
      x: () => linearAffineGradient({ dy: dy as tf.Tensor2D, words, scales, biases, pairs }, layout),
      bias: () => columnSums(dy),
    }),
  },
});

/**
 * y = x · W (+ bias), the product of every projection of the model.
 *
 * @param x f32 [R, in]
 * @param weight f32 [in, out], or packed halves [out, ceil(in / 2)] or quantised [out, in] (see ../types.ts), which are
 * frozen: they get no gradient
 * @param bias f32 [out] or null
 * @returns f32 [R, out]; gradients to x, an f32 weight and bias, each computed only when asked for
 * @throws RangeError when shapes disagree
 */
export function linear(x: tf.Tensor2D, weight: LinearWeight, bias: Bias): tf.Tensor2D {
  checkLinear(x, weight, bias);
  if (weight.kind === 'parts') return linearInParts(x, weight.parts, bias);
  if (weight.kind === 'f32') return linearF32({ x, weight: weight.data, bias: bias ?? undefined }, {}) as tf.Tensor2D;
  if (weight.kind === 'affine') {
    const { bits, groupSize, data: words } = weight;
    return linearAffine({ x, words, ...sidesOf(weight), bias: bias ?? undefined }, { bits, groupSize }) as tf.Tensor2D;
  }
  return linearF16({ x, packed: weight.data, bias: bias ?? undefined }, { inFeatures: weight.inFeatures }) as tf.Tensor2D;
}

/** @throws RangeError when shapes disagree */
export function checkLinear(x: tf.Tensor2D, weight: LinearWeight, bias: Bias): void {
  const { inFeatures, outFeatures } = weight;
  checkShape('linear', 'x', x, [null, inFeatures]);
  if (bias) checkShape('linear', 'bias', bias, [outFeatures]);
  if (weight.kind === 'f32') checkShape('linear', 'weight', weight.data, [inFeatures, outFeatures]);
  if (weight.kind === 'f16') checkShape('linear', 'packed weight', weight.data, [outFeatures, Math.ceil(inFeatures / 2)]);
  if (weight.kind === 'affine') checkAffine('linear', weight, outFeatures, inFeatures);
}

/** The parts' outputs beside each other. */
function linearInParts(x: tf.Tensor2D, parts: readonly PlainWeight[], bias: Bias): tf.Tensor2D {
  return tf.tidy(() => {
    const product = tf.concat2d(
      parts.map((part) => linear(x, part, null)),
      1,
    );
    return bias ? product.add<tf.Tensor2D>(bias) : product;
  });
}
