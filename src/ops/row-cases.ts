import * as tf from '@tensorflow/tfjs';

import { crossEntropy } from './cross-entropy/cross-entropy.ts';
import { rowLossesReference } from './cross-entropy/reference.ts';
import { applyGate } from './gate/gate.ts';
import { gelu, geluTanh } from './gelu/gelu.ts';
import { geluReference, geluTanhReference } from './gelu/reference.ts';
import { layerNorm } from './layer-norm/layer-norm.ts';
import { layerNormReference } from './layer-norm/reference.ts';
import { floats, integers, type OpCase, randomIntegers } from './op-case.ts';
import { rmsNormReference } from './rms-norm/reference.ts';
import { rmsNorm } from './rms-norm/rms-norm.ts';
import { ropeReference } from './rope/reference.ts';
import { rope } from './rope/rope.ts';
import { swigluReference } from './swiglu/reference.ts';
import { swiglu } from './swiglu/swiglu.ts';

export function normCases(rows: number, width: number): OpCase[] {
  const eps = 1e-6;
  return [
    {
      op: 'rmsNorm',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 4, 3), weight: floats([width], 5) }),
      differentiable: ['x', 'weight'],
      run: ({ x, weight }) => rmsNorm(x as tf.Tensor2D, weight as tf.Tensor1D, eps),
      reference: ({ x, weight }) => rmsNormReference(x as tf.Tensor2D, weight as tf.Tensor1D, eps),
    },
    {
      op: 'layerNorm',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 6, 3), weight: floats([width], 7), bias: floats([width], 8) }),
      differentiable: ['x', 'weight', 'bias'],
      run: ({ x, weight, bias }) => layerNorm(x as tf.Tensor2D, weight as tf.Tensor1D, bias as tf.Tensor1D, eps),
      reference: ({ x, weight, bias }) => layerNormReference(x as tf.Tensor2D, weight as tf.Tensor1D, bias as tf.Tensor1D, eps),
    },
  ];
}

export function ropeCase(rows: number, heads: number, dim: number, firstPosition: number, bound: number): OpCase {
  const frequencies = Float32Array.from({ length: dim / 2 }, (_, i) => 10000 ** ((-2 * i) / dim));
  return {
    op: 'rope',
    case: `${rows} rows from ${firstPosition}, ${heads} heads of ${dim}`,
    bound,
    inputs: () => ({
      x: floats([rows, heads * dim], 9),
      positions: integers(
        [rows],
        Array.from({ length: rows }, (_, r) => firstPosition + r),
      ),
      inverseFrequencies: { shape: [dim / 2], dtype: 'float32', values: frequencies },
    }),
    differentiable: ['x'],
    run: ({ x, positions, inverseFrequencies }) =>
      rope(x as tf.Tensor2D, positions as tf.Tensor1D, inverseFrequencies as tf.Tensor1D, heads),
    reference: ({ x, positions, inverseFrequencies }) =>
      ropeReference(x as tf.Tensor2D, positions as tf.Tensor1D, inverseFrequencies as tf.Tensor1D, heads, 1),
  };
}

export function activationCases(rows: number, width: number): OpCase[] {
  return [
    {
      op: 'swiglu',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ gate: floats([rows, width], 10, 8), up: floats([rows, width], 11, 2) }),
      differentiable: ['gate', 'up'],
      run: ({ gate, up }) => swiglu(gate as tf.Tensor2D, up as tf.Tensor2D),
      reference: ({ gate, up }) => swigluReference(gate as tf.Tensor2D, up as tf.Tensor2D),
    },
    {
      op: 'gate',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 13, 2), gate: floats([1], 15) }),
      differentiable: ['x', 'gate'],
      run: ({ x, gate }) => applyGate(x as tf.Tensor2D, gate as tf.Tensor1D),
      reference: ({ x, gate }) => tf.mul(x!, gate!),
    },
    {
      op: 'gelu',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 12, 6) }),
      differentiable: ['x'],
      run: ({ x }) => gelu(x as tf.Tensor2D),
      reference: ({ x }) => geluReference(x as tf.Tensor2D),
    },
    {
      op: 'geluTanh',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 14, 6) }),
      differentiable: ['x'],
      run: ({ x }) => geluTanh(x as tf.Tensor2D),
      reference: ({ x }) => geluTanhReference(x as tf.Tensor2D),
    },
  ];
}

export function crossEntropyCase(rows: number, vocab: number, scale: number): OpCase {
  return {
    op: 'crossEntropy',
    case: `[${rows}, ${vocab}], logits to ±${scale}`,
    bound: 1e-5,
    inputs: () => {
      const labels = randomIntegers([rows], 22, 0, vocab);
      labels.values.forEach((_, r) => {
        if (r % 3 === 1) labels.values[r] = -100;
      });
      return { logits: floats([rows, vocab], 23, scale), labels };
    },
    differentiable: ['logits'],
    run: ({ logits, labels }) => crossEntropy(logits as tf.Tensor2D, labels as tf.Tensor1D).rowLosses,
    reference: ({ logits, labels }) => rowLossesReference(logits as tf.Tensor2D, labels as tf.Tensor1D),
  };
}
