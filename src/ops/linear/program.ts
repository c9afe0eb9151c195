import type { TensorInfo } from '@tensorflow/tfjs';

import { sidesOf, type AffineBits } from '../affine.ts';
import { linesFor } from '../few-rows-lines.ts';
import { type Program, runProgram } from '../webgpu-program.ts';
import { FEW_ROWS, affineRowProgram, columnProgram, rowProgram } from './few-rows-program.ts';
import type { Layout, LeftLayout, Sides } from './layouts.ts';
import { tileCount, tiledProgram } from './tiled-program.ts';

const made = new Map<string, Program>();

function once(key: string, make: () => Program): Program {
  let program = made.get(key);
  if (!program) made.set(key, (program = make()));
  return program;
}

/** x [R, K] · B [K, N] (+ bias [N]) → [R, N], B laid out as `layout` says. */
function product(x: TensorInfo, weight: TensorInfo, layout: Layout, columns: number, bias?: TensorInfo): TensorInfo {
  const [rows = 0, inner = 0] = x.shape;
  if (rows > FEW_ROWS || layout === 'f16-rows' || layout === 'f32-columns') {
    return tiledProduct(x, 'rows', weight, layout, { rows, inner, columns }, bias);
  }
  const block = ([1, 2, 4, 8] as const).find((n) => n >= rows)!;
  const vectorised = layout === 'f32' ? columns % 4 === 0 : inner % 8 === 0;
  const withBias = bias !== undefined;
  const make = layout === 'f32' ? columnProgram : rowProgram;
  const lines = linesFor('linear', { layout: layout === 'f32' ? 'f32' : 'f16', inFeatures: inner, outFeatures: columns });
  const program = once(`${layout} few ${block} ${vectorised} ${withBias} ${lines}`, () => make(block, vectorised, withBias, lines));
  const columnsPerGroup = layout === 'f32' ? (vectorised ? 64 : 16) : lines;
  return runProgram(program, {
    inputs: bias ? [x, weight, bias] : [x, weight],
    uniforms: { rows, inner, columns },
    outputShape: [rows, columns],
    groups: Math.ceil(columns / columnsPerGroup),
  });
}

function tiledProduct(
  x: TensorInfo,
  left: LeftLayout,
  weight: TensorInfo,
  layout: Layout,
  sizes: { rows: number; inner: number; columns: number },
  bias?: TensorInfo,
): TensorInfo {
  const { rows, columns } = sizes;
  const vectorised = layout === 'f32' && columns % 4 === 0;
  const withBias = bias !== undefined;
  const perThread = rows <= 16 ? 1 : 4;
  const program = once(`${left} ${layout} tiled ${perThread} ${vectorised} ${withBias}`, () =>
    tiledProgram(left, layout, perThread, vectorised, withBias),
  );
  return runProgram(program, {
    inputs: bias ? [x, weight, bias] : [x, weight],
    uniforms: sizes,
    outputShape: [rows, columns],
    groups: tileCount(rows, columns, perThread),
  });
}

/** x [R, in] · weight [in, out] (+ bias). */
export function linearF32Program(x: TensorInfo, weight: TensorInfo, bias?: TensorInfo): TensorInfo {
  return product(x, weight, 'f32', weight.shape[1]!, bias);
}

/** x [R, in] · weightᵀ, weight packed [out, ceil(in / 2)] (+ bias). */
export function linearF16Program(x: TensorInfo, packed: TensorInfo, bias?: TensorInfo): TensorInfo {
  return product(x, packed, 'f16', packed.shape[0]!, bias);
}

/** dy [R, out] · weight, weight packed [out, ceil(in / 2)]: the gradient to x. */
export function linearF16GradientProgram(dy: TensorInfo, packed: TensorInfo, inFeatures: number): TensorInfo {
  return product(dy, packed, 'f16-rows', inFeatures);
}

/** a [m, k] · bᵀ, b [n, k]. */
export function timesTransposedProgram(a: TensorInfo, b: TensorInfo): TensorInfo {
  return product(a, b, 'f32-columns', b.shape[0]!);
}

/** aᵀ · b, a [k, m], b [k, n]. */
export function transposedTimesProgram(a: TensorInfo, b: TensorInfo): TensorInfo {
  const [inner = 0, rows = 0] = a.shape;
  return tiledProduct(a, 'columns', b, 'f32', { rows, inner, columns: b.shape[1]! });
}

/** Words, and scales and biases or pairs of both. */
export interface AffineOperand {
  words: TensorInfo;
  scales?: TensorInfo;
  biases?: TensorInfo;
  pairs?: TensorInfo;
}

function inputsAndSides({ words, ...weight }: AffineOperand): { tensors: TensorInfo[]; sides: Sides } {
  return { tensors: [words, ...Object.values(sidesOf(weight))], sides: weight.pairs ? 'paired' : 'apart' };
}

/** x [R, in] · weightᵀ, weight quantised [out, in] (+ bias). */
export function linearAffineProgram(
  x: TensorInfo,
  weight: AffineOperand,
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
  bias?: TensorInfo,
): TensorInfo {
  const [rows = 0, inner = 0] = x.shape;
  const columns = weight.words.shape[0]!;
  const { tensors, sides } = inputsAndSides(weight);
  const withBias = bias !== undefined;
  const few = rows <= FEW_ROWS;
  const perThread = rows <= 16 ? 1 : 4;
  const block = ([1, 2, 4, 8] as const).find((n) => n >= rows) ?? 8;
  const lines = linesFor('linear', { layout: `affine${bits}`, inFeatures: inner, outFeatures: columns });
  const program = few
    ? once(`affine${bits} ${sides} few ${block} ${withBias} ${lines}`, () => affineRowProgram(bits, block, withBias, lines, sides))
    : once(`affine${bits} ${sides} tiled ${perThread} ${withBias}`, () =>
        tiledProgram('rows', `affine${bits}`, perThread, false, withBias, sides),
      );
  return runProgram(program, {
    inputs: bias ? [x, ...tensors, bias] : [x, ...tensors],
    uniforms: { rows, inner, columns, groupSize },
    outputShape: [rows, columns],
    groups: few ? Math.ceil(columns / lines) : tileCount(rows, columns, perThread),
  });
}

/** dy [R, out] · weight, weight quantised [out, in]: the gradient to x. */
export function linearAffineGradientProgram(
  dy: TensorInfo,
  weight: AffineOperand,
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
): TensorInfo {
  const [rows = 0, inner = 0] = dy.shape;
  const columns = (weight.words.shape[1]! * 32) / bits;
  const { tensors, sides } = inputsAndSides(weight);
  const perThread = rows <= 16 ? 1 : 4;
  const program = once(`affine${bits}-rows ${sides} tiled ${perThread}`, () =>
    tiledProgram('rows', `affine${bits}-rows`, perThread, false, false, sides),
  );
  return runProgram(program, {
    inputs: [dy, ...tensors],
    uniforms: { rows, inner, columns, groupSize },
    outputShape: [rows, columns],
    groups: tileCount(rows, columns, perThread),
  });
}
