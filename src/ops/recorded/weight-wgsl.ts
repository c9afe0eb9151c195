import type { Tensor2D } from '@tensorflow/tfjs';
import { sidesOf, type AffineBits } from '../affine.ts';
import { LANES, type Lines } from '../few-rows-lines.ts';
import { quantised, sidesAt, type Sides } from '../linear/layouts.ts';
import type { AffineSides, LinearWeight, PlainWeight } from '../types.ts';
import { unroll } from '../unroll.ts';
import { bufferOf, type Binding } from './command-list.ts';

/** From so many outputs on, a thread takes four that lie row by row: enough workgroups are left, and each read of the row serves four. */
const MANY_OUTPUTS = 16_384;

/**
 * How one weight is multiplied with the one activation row of a decode step.
 *
 * Weights that lie output by output (halves, quantised) take 16 neighbouring threads along a row and as many rows a workgroup as it has
 * lines, or four times as many; those that lie input by input (floats) take 16 neighbouring threads across columns, and the lines share
 * the depth.
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
  /** WGSL: head of the loop over `turn`, this thread's share of the depth; all `shares` together see every input once. */
  loop: string;
  /** Inputs of a turn, by fours: those from `turn * vectors` on, as `row0`, `row1` … */
  vectors: number;
  /** WGSL statements of a turn that add its products with the row to `sum`. */
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
  const at = (i: number) => `${name}[((turn * 4u + ${i}u) * ${outFeatures}u + column) / ${width}u]`;
  return {
    bindings: [{ name, type, buffer: bufferOf(data), access: 'read' }],
    columnsPerGroup: LANES * width,
    width,
    column: `(group * 16u + thread % 16u) * ${width}u`,
    shares: lines,
    sharePlace: (i) => `${i} * 16u + thread`,
    writes: 'thread < 16u',
    loop: `for (var turn = thread / 16u; turn < ${inFeatures / 4}u; turn += ${lines}u)`,
    vectors: 1,
    accumulate: (sum) => unroll(4, (i) => `${sum} += row0[${i}] * ${at(i)};`),
  };
}

/** What the two layouts that lie output by output share. @param turns of the whole depth */
function outputLines(lines: Lines, outFeatures: number, turns: number) {
  const width: 1 | 4 = outFeatures >= MANY_OUTPUTS && outFeatures % 4 === 0 ? 4 : 1;
  return {
    columnsPerGroup: lines * width,
    width,
    column: `(group * ${lines}u + thread / 16u) * ${width}u`,
    shares: LANES,
    sharePlace: (i: string) => `thread + ${i}`,
    writes: 'thread % 16u == 0u',
    loop: `for (var turn = thread % 16u; turn < ${turns}u; turn += 16u)`,
  };
}

/** The statements of a turn for each output of a thread. @param add those of the output `column`, to `sum` */
function eachOutput(width: 1 | 4, sum: string, add: (column: string, sum: string) => string): string {
  return unroll(width, (i) => `{\n${add(`(column + ${i}u)`, width === 4 ? `${sum}[${i}]` : sum)}\n}`);
}

function halfRows({ data, inFeatures, outFeatures }: PlainWeight & { kind: 'f16' }, tag: string, lines: Lines): WeightCode {
  const name = `weight${tag}`;
  const turns = inFeatures / 8;
  const shape = outputLines(lines, outFeatures, turns);
  const add = (column: string, sum: string) => /* wgsl */ `
        let words = ${name}[${column} * ${turns}u + turn];
        ${sum} += dot(row0, vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)));
        ${sum} += dot(row1, vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)));`;
  return {
    ...shape,
    bindings: [{ name, type: 'vec4<u32>', buffer: bufferOf(data), access: 'read' }],
    vectors: 2,
    accumulate: (sum) => eachOutput(shape.width, sum, add),
  };
}

function affineRows(weight: PlainWeight & { kind: 'affine' }, tag: string, lines: Lines): WeightCode {
  const { data, bits, groupSize, inFeatures, outFeatures } = weight;
  // Four words a turn: 32 or 16 numbers, which lie in one group.
  const vectors = 32 / bits;
  const turns = inFeatures / (4 * vectors);
  const shape = outputLines(lines, outFeatures, turns);
  const word = (i: number, b: AffineBits) => `(words[${Math.floor((i * b) / 8)}] >> ${(i * 4 * b) % 32}u)`;
  const add = (column: string, sum: string) => /* wgsl */ `
        let words = weight${tag}[${column} * ${turns}u + turn];
        let at = (${column} * ${turns}u + turn) * ${4 * vectors}u / ${groupSize}u;
        let sides = ${sidesAt('at', sidesIn(weight), tag)};
        ${unroll(vectors, (i) => `${sum} += dot(row${i}, ${quantised(word(i, bits), bits)} * sides.x + sides.y);`)}`;
  return {
    ...shape,
    bindings: [{ name: `weight${tag}`, type: 'vec4<u32>', buffer: bufferOf(data), access: 'read' }, ...sideBindings(weight, tag)],
    vectors,
    accumulate: (sum) => eachOutput(shape.width, sum, add),
  };
}

export const sidesIn = ({ pairs }: AffineSides): Sides => (pairs ? 'paired' : 'apart');

/** Scales and biases of a quantised matrix, or their pairs, under their own names and `tag`. */
export function sideBindings(weight: AffineSides, tag: string): Binding[] {
  const type = weight.pairs ? 'u32' : 'f32';
  const sides = Object.entries(sidesOf<Tensor2D>(weight));
  return sides.map(([name, tensor]) => ({ name: `${name}${tag}`, type, buffer: bufferOf(tensor), access: 'read' }));
}
