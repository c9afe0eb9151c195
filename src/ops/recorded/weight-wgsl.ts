import type { Tensor2D } from '@tensorflow/tfjs';
import { sidesOf, type AffineBits } from '../affine.ts';
import { LANES, type Lines } from '../few-rows-lines.ts';
import { quantised, sidesAt, type Sides } from '../linear/layouts.ts';
import type { AffineSides, LinearWeight, PlainWeight } from '../types.ts';
import { unroll } from '../unroll.ts';
import { bufferOf, type Binding } from './command-list.ts';

/**
 * How one weight is multiplied with the one activation row of a decode step.
 *
 * Weights that lie output by output (halves, quantised) take 16 neighbouring threads along a row and as many rows a workgroup as it has
 * lines; those that lie input by input (floats) take 16 neighbouring threads across columns, and the lines share the depth.
 */
export interface WeightCode {
  bindings: Binding[];
  /** Outputs of a workgroup. */
  columnsPerGroup: number;
  /** Outputs of one thread's sum: with 4, `sum` is a `vec4<f32>`. */
  width: 1 | 4;
  /** WGSL: first output of this thread, of `group` and `thread`. */
  column: string;
  /** WGSL: the `i`-th of `shares` places in a workgroup array whose values add up to this thread's output; valid where `writes`. */
  sharePlace: (i: string) => string;
  shares: number;
  /** WGSL: is this the thread that writes the output? */
  writes: string;
  /** WGSL statements that add this thread's share of the product with `row(i)`, the i-th four inputs, to `sum`. */
  accumulate: (sum: string) => string;
}

/** Can this weight take part in a recorded step? Rare widths are left to the ordinary programs. */
export function isRecordable(weight: LinearWeight): boolean {
  if (weight.kind === 'parts') return weight.parts.every(isRecordable);
  if (weight.kind === 'f16') return weight.inFeatures % 8 === 0;
  return weight.inFeatures % 4 === 0;
}

/** @param tag tells the names of several weights in one program apart */
export function weightCode(weight: PlainWeight, tag: string, lines: Lines): WeightCode {
  switch (weight.kind) {
    case 'f32':
      return floatColumns(weight, tag, lines);
    case 'f16':
      return halfRows(weight, tag, lines);
    case 'affine':
      return affineRows(weight, tag, lines);
  }
}

function floatColumns({ data, inFeatures, outFeatures }: PlainWeight & { kind: 'f32' }, tag: string, lines: Lines): WeightCode {
  const width = outFeatures % 4 === 0 ? 4 : 1;
  const type = width === 4 ? 'vec4<f32>' : 'f32';
  const name = `weight${tag}`;
  const at = (i: number) => `${name}[((k * 4u + ${i}u) * ${outFeatures}u + column) / ${width}u]`;
  return {
    bindings: [{ name, type, buffer: bufferOf(data), access: 'read' }],
    columnsPerGroup: LANES * width,
    width,
    column: `(group * 16u + thread % 16u) * ${width}u`,
    shares: lines,
    sharePlace: (i) => `${i} * 16u + thread`,
    writes: 'thread < 16u',
    accumulate: (sum) => /* wgsl */ `
      for (var k = thread / 16u; k < ${inFeatures / 4}u; k += ${lines}u) {
        let four = row(k);
        ${unroll(4, (i) => `${sum} += four[${i}] * ${at(i)};`)}
      }`,
  };
}

/** What the two layouts that lie output by output share. */
const outputLines = (lines: Lines) => ({
  columnsPerGroup: lines,
  width: 1 as const,
  column: `group * ${lines}u + thread / 16u`,
  shares: LANES,
  sharePlace: (i: string) => `thread + ${i}`,
  writes: 'thread % 16u == 0u',
});

function halfRows({ data, inFeatures }: PlainWeight & { kind: 'f16' }, tag: string, lines: Lines): WeightCode {
  const name = `weight${tag}`;
  return {
    ...outputLines(lines),
    bindings: [{ name, type: 'vec4<u32>', buffer: bufferOf(data), access: 'read' }],
    accumulate: (sum) => /* wgsl */ `
      for (var w = thread % 16u; w < ${inFeatures / 8}u; w += 16u) {
        let words = ${name}[column * ${inFeatures / 8}u + w];
        ${sum} += dot(row(w * 2u), vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)));
        ${sum} += dot(row(w * 2u + 1u), vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)));
      }`,
  };
}

function affineRows(weight: PlainWeight & { kind: 'affine' }, tag: string, lines: Lines): WeightCode {
  const { data, bits, groupSize, inFeatures } = weight;
  // Four words a turn: 32 or 16 numbers, which lie in one group.
  const vectors = 32 / bits;
  const turns = inFeatures / (4 * vectors);
  const word = (i: number, b: AffineBits) => `(words[${Math.floor((i * b) / 8)}] >> ${(i * 4 * b) % 32}u)`;
  return {
    ...outputLines(lines),
    bindings: [{ name: `weight${tag}`, type: 'vec4<u32>', buffer: bufferOf(data), access: 'read' }, ...sideBindings(weight, tag)],
    accumulate: (sum) => /* wgsl */ `
      for (var w = thread % 16u; w < ${turns}u; w += 16u) {
        let words = weight${tag}[column * ${turns}u + w];
        let at = (column * ${turns}u + w) * ${4 * vectors}u / ${groupSize}u;
        let sides = ${sidesAt('at', sidesIn(weight), tag)};
        ${unroll(vectors, (i) => `${sum} += dot(row(w * ${vectors}u + ${i}u), ${quantised(word(i, bits), bits)} * sides.x + sides.y);`)}
      }`,
  };
}

export const sidesIn = ({ pairs }: AffineSides): Sides => (pairs ? 'paired' : 'apart');

/** Scales and biases of a quantised matrix, or their pairs, under their own names and `tag`. */
export function sideBindings(weight: AffineSides, tag: string): Binding[] {
  const type = weight.pairs ? 'u32' : 'f32';
  const sides = Object.entries(sidesOf<Tensor2D>(weight));
  return sides.map(([name, tensor]) => ({ name: `${name}${tag}`, type, buffer: bufferOf(tensor), access: 'read' }));
}
