import * as tf from '@tensorflow/tfjs';

import type { AffineBits } from './affine.ts';
import { attention } from './attention/attention.ts';
import { attendReference, maskVisibility } from './attention/reference.ts';
import { attentionSizes } from './attention/sizes.ts';
import { crossAttention } from './cross-attention/cross-attention.ts';
import { tileVisibility } from './cross-attention/reference.ts';
import { crossEntropy } from './cross-entropy/cross-entropy.ts';
import { rowLossesReference } from './cross-entropy/reference.ts';
import { cacheWrite } from './cache-write/cache-write.ts';
import { cacheWriteReference } from './cache-write/reference.ts';
import { embed } from './embed/embed.ts';
import { embedReference, unpackAffineTable, unpackTable } from './embed/reference.ts';
import { gelu } from './gelu/gelu.ts';
import { geluReference } from './gelu/reference.ts';
import { packHalves } from './half.ts';
import { layerNorm } from './layer-norm/layer-norm.ts';
import { layerNormReference } from './layer-norm/reference.ts';
import { linear } from './linear/linear.ts';
import { linearReference, unpackAffineWeight, unpackWeight } from './linear/reference.ts';
import { rmsNormReference } from './rms-norm/reference.ts';
import { rmsNorm } from './rms-norm/rms-norm.ts';
import { ropeReference } from './rope/reference.ts';
import { rope } from './rope/rope.ts';
import { swigluReference } from './swiglu/reference.ts';
import { swiglu } from './swiglu/swiglu.ts';

/** Input on the host, so that it can be put on any backend. */
export interface HostTensor {
  shape: number[];
  dtype: 'float32' | 'int32';
  values: Float32Array | Int32Array;
}

type Tensors = Record<string, tf.Tensor>;

/** One op at one shape: what runs, what it should equal, and how closely. */
export interface OpCase {
  op: string;
  case: string;
  /** Largest error of the result and of each gradient, relative to the largest expected magnitude (at least 1). */
  bound: number;
  /** Deterministic. */
  inputs: () => Record<string, HostTensor>;
  /** Inputs that get a gradient. */
  differentiable: string[];
  run: (inputs: Tensors) => tf.Tensor;
  /** Stock tfjs ops throughout, so that tfjs itself differentiates it. */
  reference: (inputs: Tensors) => tf.Tensor;
}

// ---- deterministic inputs -------------------------------------------------------------------------------------------

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values spread over [−scale, scale]. */
export function floats(shape: number[], seed: number, scale = 1): HostTensor {
  const next = seededNumbers(seed);
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => (next() * 2 - 1) * scale);
  return { shape, dtype: 'float32', values };
}

export function integers(shape: number[], values: ArrayLike<number>): HostTensor {
  return { shape, dtype: 'int32', values: Int32Array.from(values) };
}

/** Whole numbers in [low, high). */
function randomIntegers(shape: number[], seed: number, low: number, high: number): HostTensor {
  const next = seededNumbers(seed);
  return integers(
    shape,
    Array.from({ length: tf.util.sizeFromShape(shape) }, () => low + Math.floor(next() * (high - low))),
  );
}

function halves(rows: number, columns: number, seed: number): HostTensor {
  return integers([rows, Math.ceil(columns / 2)], packHalves(floats([rows, columns], seed).values, rows, columns));
}

/** A quantised matrix [rows, columns] with values in about [−1, 1]. */
function quantised(rows: number, columns: number, bits: AffineBits, groupSize: number, seed: number) {
  const groups = floats([rows, columns / groupSize], seed);
  return {
    words: randomIntegers([rows, (columns * bits) / 32], seed + 1, -(2 ** 31), 2 ** 31),
    scales: { ...groups, values: Float32Array.from(groups.values, (value) => (2 + value) / 2 ** bits) },
    biases: floats(groups.shape, seed + 2),
  };
}

// ---- cases ----------------------------------------------------------------------------------------------------------

function linearCase(
  kind: 'f32' | 'f16',
  rows: number,
  inFeatures: number,
  outFeatures: number,
  withBias: boolean,
): OpCase {
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
      linear(
        x as tf.Tensor2D,
        { kind, inFeatures, outFeatures, data: weight as tf.Tensor2D },
        (bias as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ x, weight, bias }) => {
      const matrix = kind === 'f32' ? (weight as tf.Tensor2D) : unpackWeight(weight as tf.Tensor2D, inFeatures);
      return linearReference(x as tf.Tensor2D, matrix, bias as tf.Tensor1D | undefined);
    },
  };
}

function affineLinearCase(
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
    run: ({ x, words, scales, biases, bias }) =>
      linear(
        x as tf.Tensor2D,
        {
          kind: 'affine',
          bits,
          groupSize,
          inFeatures,
          outFeatures,
          data: words as tf.Tensor2D,
          scales: scales as tf.Tensor2D,
          biases: biases as tf.Tensor2D,
        },
        (bias as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ x, words, scales, biases, bias }) => {
      const weight = { words: words as tf.Tensor2D, scales: scales as tf.Tensor2D, biases: biases as tf.Tensor2D };
      const matrix = unpackAffineWeight(weight, { bits, groupSize });
      return linearReference(x as tf.Tensor2D, matrix, bias as tf.Tensor1D | undefined);
    },
  };
}

function normCases(rows: number, width: number): OpCase[] {
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
      reference: ({ x, weight, bias }) =>
        layerNormReference(x as tf.Tensor2D, weight as tf.Tensor1D, bias as tf.Tensor1D, eps),
    },
  ];
}

function ropeCase(rows: number, heads: number, dim: number, firstPosition: number, bound: number): OpCase {
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

function activationCases(rows: number, width: number): OpCase[] {
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
      op: 'gelu',
      case: `[${rows}, ${width}]`,
      bound: 1e-5,
      inputs: () => ({ x: floats([rows, width], 12, 6) }),
      differentiable: ['x'],
      run: ({ x }) => gelu(x as tf.Tensor2D),
      reference: ({ x }) => geluReference(x as tf.Tensor2D),
    },
  ];
}

interface AttentionCase {
  name: string;
  batch: number;
  rows: number;
  keys: number;
  heads: number;
  kvHeads: number;
  dim: number;
  causal: boolean;
  starts?: number[];
  /** Compare gradients too (default true); decode needs none. */
  gradient?: boolean;
  /** Key s of entry b is visible. */
  mask?: (b: number, s: number) => boolean;
}

function heads({
  batch,
  rows,
  keys,
  heads,
  kvHeads,
  dim,
}: Omit<AttentionCase, 'name' | 'causal'>): Record<string, HostTensor> {
  return {
    q: floats([batch * rows, heads * dim], 13, 2),
    k: floats([batch, keys, kvHeads * dim], 14, 2),
    v: floats([batch, keys, kvHeads * dim], 15),
  };
}

function attentionCase(sizes: AttentionCase): OpCase {
  const { name, batch, keys, causal, starts, mask } = sizes;
  const options = { heads: sizes.heads, kvHeads: sizes.kvHeads };
  return {
    op: 'attention',
    case: name,
    bound: 2e-5,
    inputs: () => ({
      ...heads(sizes),
      ...(starts && { starts: integers([batch], starts) }),
      ...(mask && {
        keyMask: integers(
          [batch, keys],
          Array.from({ length: batch * keys }, (_, i) => Number(mask(Math.floor(i / keys), i % keys))),
        ),
      }),
    }),
    differentiable: sizes.gradient === false ? [] : ['q', 'k', 'v'],
    run: ({ q, k, v, starts, keyMask }) =>
      attention(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, {
        ...options,
        causal,
        starts: (starts as tf.Tensor1D | undefined) ?? null,
        keyMask: (keyMask as tf.Tensor2D | undefined) ?? null,
      }),
    reference: ({ q, k, v, starts, keyMask }) => {
      const full = attentionSizes('attention', q!, k!, v!, options);
      const visible = maskVisibility(
        full,
        causal,
        starts as tf.Tensor1D | undefined,
        keyMask as tf.Tensor2D | undefined,
      );
      return attendReference(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, full, visible);
    },
  };
}

function crossAttentionCase(sizes: Omit<AttentionCase, 'causal'> & { tiles: number }): OpCase {
  const { name, batch, rows, keys, tiles } = sizes;
  const options = { heads: sizes.heads, kvHeads: sizes.kvHeads };
  return {
    op: 'crossAttention',
    case: name,
    bound: 2e-5,
    inputs: () => {
      const rowTiles = randomIntegers([batch * rows, tiles], 16, 0, 2);
      // A row before the image: it sees nothing.
      rowTiles.values.fill(0, 0, tiles);
      return { ...heads(sizes), rowTiles, keyTiles: randomIntegers([batch, keys], 17, -1, tiles) };
    },
    differentiable: sizes.gradient === false ? [] : ['q', 'k', 'v'],
    run: ({ q, k, v, rowTiles, keyTiles }) =>
      crossAttention(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, {
        ...options,
        rowTiles: rowTiles as tf.Tensor2D,
        keyTiles: keyTiles as tf.Tensor2D,
      }),
    reference: ({ q, k, v, rowTiles, keyTiles }) => {
      const full = attentionSizes('crossAttention', q!, k!, v!, options);
      const visible = tileVisibility(full, rowTiles as tf.Tensor2D, keyTiles as tf.Tensor2D);
      return attendReference(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, full, visible);
    },
  };
}

function embedCase(kind: 'f32' | 'f16', rows: number, vocab: number, width: number, visualRows: number): OpCase {
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

function affineEmbedCase(
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
    run: ({ ids, words, scales, biases, visual, slots }) =>
      embed(
        ids as tf.Tensor1D,
        {
          kind: 'affine',
          bits,
          groupSize,
          vocab,
          width,
          data: words as tf.Tensor2D,
          scales: scales as tf.Tensor2D,
          biases: biases as tf.Tensor2D,
        },
        (visual as tf.Tensor2D | undefined) ?? null,
        (slots as tf.Tensor1D | undefined) ?? null,
      ),
    reference: ({ ids, words, scales, biases, visual, slots }) =>
      embedReference(
        ids as tf.Tensor1D,
        unpackAffineTable(
          { words: words as tf.Tensor2D, scales: scales as tf.Tensor2D, biases: biases as tf.Tensor2D },
          { bits, groupSize },
        ),
        visual as tf.Tensor2D | undefined,
        slots as tf.Tensor1D | undefined,
      ),
  };
}

function crossEntropyCase(rows: number, vocab: number, scale: number): OpCase {
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

function cacheWriteCase(batch: number, rows: number, width: number, starts: number[]): OpCase {
  // As long as the result off WebGPU, so that all backends return the same shape.
  const capacity = Math.max(...starts) + rows;
  return {
    op: 'cacheWrite',
    case: `${rows} rows of ${width} at ${starts}`,
    bound: 0,
    inputs: () => {
      const cache = floats([batch, capacity, width], 24);
      // Off WebGPU what lies behind the new rows is zeros, not the old contents.
      starts.forEach((start, b) =>
        cache.values.fill(0, (b * capacity + start + rows) * width, (b + 1) * capacity * width),
      );
      return { cache, rows: floats([batch, rows, width], 25), starts: integers([batch], starts) };
    },
    differentiable: [],
    run: ({ cache, rows, starts: onDevice }) =>
      cacheWrite(cache as tf.Tensor3D, rows as tf.Tensor3D, onDevice as tf.Tensor1D, starts),
    reference: ({ cache, rows }) => cacheWriteReference(cache as tf.Tensor3D, rows as tf.Tensor3D, starts),
  };
}

/** Every op at sizes that do not divide evenly into tiles, vectors, words or workgroups, and at some that do. */
export const opCases: OpCase[] = [
  linearCase('f32', 1, 192, 512, false),
  linearCase('f32', 1, 33, 7, true),
  linearCase('f32', 2, 40, 100, true),
  linearCase('f32', 3, 33, 68, false),
  linearCase('f32', 7, 64, 36, true),
  linearCase('f32', 12, 5, 192, true),
  linearCase('f32', 17, 33, 67, false),
  linearCase('f32', 70, 48, 129, true),
  linearCase('f16', 1, 192, 50, false),
  linearCase('f16', 1, 33, 7, true),
  linearCase('f16', 2, 16, 9, true),
  linearCase('f16', 3, 5, 70, false),
  linearCase('f16', 8, 40, 33, true),
  linearCase('f16', 17, 33, 66, true),
  linearCase('f16', 67, 22, 130, false),
  affineLinearCase(4, 32, 1, 96, 7, false),
  affineLinearCase(4, 64, 1, 576, 50, true),
  affineLinearCase(8, 64, 1, 320, 33, false),
  affineLinearCase(8, 32, 3, 96, 6, true),
  affineLinearCase(4, 128, 5, 128, 9, false),
  affineLinearCase(4, 32, 13, 96, 67, true),
  affineLinearCase(8, 128, 17, 256, 35, false),
  affineLinearCase(4, 64, 70, 64, 130, true),
  ...normCases(1, 5),
  ...normCases(3, 192),
  ...normCases(17, 33),
  ropeCase(3, 2, 8, 0, 1e-5),
  ropeCase(17, 3, 80, 5, 1e-5),
  // The angle itself is rounded to f32: 32000 radians have steps of 2e-3.
  ropeCase(5, 1, 32, 32000, 4e-3),
  ...activationCases(1, 5),
  ...activationCases(3, 192),
  ...activationCases(17, 33),
  attentionCase({
    name: 'decode, one row',
    batch: 1,
    rows: 1,
    keys: 5,
    heads: 2,
    kvHeads: 2,
    dim: 8,
    causal: false,
    gradient: false,
  }),
  attentionCase({
    name: 'decode in a cache, batch, grouped heads',
    gradient: false,
    batch: 2,
    rows: 1,
    keys: 70,
    heads: 4,
    kvHeads: 2,
    dim: 32,
    causal: true,
    starts: [0, 65],
  }),
  attentionCase({
    name: 'decode over split keys',
    gradient: false,
    batch: 2,
    rows: 2,
    keys: 530,
    heads: 3,
    kvHeads: 1,
    dim: 80,
    causal: true,
    starts: [3, 500],
    mask: (b, s) => b === 0 || s % 5 > 0,
  }),
  attentionCase({ name: 'prefill, odd head', batch: 1, rows: 5, keys: 5, heads: 2, kvHeads: 1, dim: 6, causal: true }),
  attentionCase({
    name: 'decode, odd head',
    batch: 1,
    rows: 2,
    keys: 9,
    heads: 2,
    kvHeads: 2,
    dim: 5,
    causal: true,
    gradient: false,
  }),
  attentionCase({
    name: 'encoder, no mask',
    batch: 2,
    rows: 17,
    keys: 17,
    heads: 2,
    kvHeads: 2,
    dim: 32,
    causal: false,
  }),
  attentionCase({ name: 'prefill', batch: 1, rows: 37, keys: 37, heads: 6, kvHeads: 2, dim: 8, causal: true }),
  attentionCase({
    name: 'prefill into a longer cache, batch, key mask',
    batch: 2,
    rows: 19,
    keys: 50,
    heads: 4,
    kvHeads: 4,
    dim: 80,
    causal: true,
    starts: [0, 9],
    // Entry 1 is padded on the left; its first rows see nothing but what the cache holds.
    mask: (b, s) => b === 0 || s >= 12,
  }),
  attentionCase({
    name: 'prefill, widest head',
    batch: 1,
    rows: 18,
    keys: 18,
    heads: 1,
    kvHeads: 1,
    dim: 256,
    causal: true,
  }),
  crossAttentionCase({
    name: 'decode',
    gradient: false,
    batch: 1,
    rows: 1,
    keys: 9,
    heads: 2,
    kvHeads: 2,
    dim: 8,
    tiles: 2,
  }),
  crossAttentionCase({
    name: 'decode, batch',
    batch: 3,
    rows: 1,
    keys: 300,
    heads: 4,
    kvHeads: 2,
    dim: 32,
    tiles: 3,
    gradient: false,
  }),
  crossAttentionCase({
    name: 'prefill, grouped heads',
    batch: 2,
    rows: 21,
    keys: 67,
    heads: 4,
    kvHeads: 2,
    dim: 32,
    tiles: 7,
  }),
  crossAttentionCase({
    name: 'prefill, odd sizes',
    batch: 1,
    rows: 17,
    keys: 33,
    heads: 3,
    kvHeads: 3,
    dim: 10,
    tiles: 1,
  }),
  embedCase('f32', 1, 7, 5, 0),
  embedCase('f32', 17, 9, 33, 0),
  embedCase('f32', 70, 40, 192, 12),
  embedCase('f16', 3, 7, 5, 0),
  embedCase('f16', 17, 9, 34, 4),
  affineEmbedCase(4, 32, 5, 9, 96, 0),
  affineEmbedCase(8, 64, 17, 9, 64, 4),
  affineEmbedCase(4, 128, 3, 5, 128, 2),
  crossEntropyCase(1, 5, 3),
  crossEntropyCase(4, 659, 10),
  crossEntropyCase(17, 33, 300),
  cacheWriteCase(1, 1, 8, [0]),
  cacheWriteCase(1, 5, 33, [7]),
  cacheWriteCase(3, 2, 5, [4, 0, 9]),
];
