import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { LANES, linesFor, type ProductShape } from '../few-rows-lines.ts';
import type { LinearWeight, PlainWeight } from '../types.ts';
import { unroll } from '../unroll.ts';
import { bufferOf, type Binding, type Command } from './command-list.ts';
import { weightCode, type WeightCode } from './weight-wgsl.ts';

/** One linear of a product, and where its outputs go in `result`. */
export interface Factor {
  weight: PlainWeight;
  bias: Tensor1D | null;
  /** What adapters add, scale · B · low: see {@link LowRankTerm}. */
  updates?: readonly LowRankTerm[];
}

/** The second half of a low-rank update; the first, A · x, was a product of its own. */
export interface LowRankTerm {
  /** f32: A · x from its `at`-th value on. */
  low: GPUBuffer;
  at: number;
  /** f32 [rank, out] */
  b: Tensor2D;
  scale: number;
}

export interface ProductInput {
  /** f32 [in] */
  row: GPUBuffer;
  /** RMSNorm of the row before it is multiplied: weight [in] and epsilon. Its scale is found on the way, so it costs no pass. */
  norm: { weight: Tensor1D; eps: number } | null;
}

/**
 * Several linears of the same row in one dispatch, their outputs behind each other in `result`: queries, keys and values.
 * `add`: the outputs are added to what `result` holds (the residual stream), times tanh of `gate` where there is one.
 */
export function productCommand(
  label: string,
  input: ProductInput,
  factors: readonly Factor[],
  result: GPUBuffer,
  { add = false, gate = null, offset = 0 }: { add?: boolean; gate?: Tensor1D | null; offset?: number } = {},
): Command {
  const bindings: Binding[] = [];
  const functions: string[] = [];
  const branches: string[] = [];
  const lines = linesFor('recordedProduct', productShape(factors.map(({ weight }) => weight)));
  const threads = LANES * lines;
  let groups = 0;
  let at = offset;
  factors.forEach((factor, n) => {
    const { weight } = factor;
    const code = weightCode(weight, String(n), lines);
    const added = addedTo(factor, n);
    bindings.push(...code.bindings, ...added.bindings);
    functions.push(added.code);
    const value = (i: number) => `${element('total0', code, i)}${added.value(i)}`;
    const store = (i: number) => {
      const place = `result[${at}u + column + ${i}u]`;
      return add ? `${place} += (${value(i)})${gate ? ' * tanh(gate[0])' : ''};` : `${place} = ${value(i)};`;
    };
    functions.push(columnFunction(`factor${n}`, [code], weight, input, (width) => unroll(width, store)));
    const count = Math.ceil(weight.outFeatures / code.columnsPerGroup);
    branches.push(`if (group < ${groups + count}u) { factor${n}(group - ${groups}u, thread); return; }`);
    groups += count;
    at += weight.outFeatures;
  });
  return {
    label,
    threads,
    groups,
    bindings: [
      ...inputBindings(input),
      ...lowBinding(factors),
      ...bindings,
      ...(gate ? [{ name: 'gate', type: 'f32', buffer: bufferOf(gate), access: 'read' as const }] : []),
      { name: 'result', type: 'f32', buffer: result, access: 'read_write' },
    ],
    code: `${prelude(input, 1, threads)}\n${functions.join('\n')}\nfn main(group : u32, thread : u32) {\n${branches.join('\n')}\n}`,
  };
}

/** silu(gate) · up, both of the same row, in one dispatch. */
export function swigluCommand(label: string, input: ProductInput, gate: Factor, up: Factor, result: GPUBuffer): Command {
  const lines = linesFor('recordedSwiglu', productShape([gate.weight, up.weight]));
  const threads = LANES * lines;
  const codes = [weightCode(gate.weight, '0', lines), weightCode(up.weight, '1', lines)];
  const added = [addedTo(gate, 0), addedTo(up, 1)];
  const side = (n: 0 | 1, i: number) => `${element(`total${n}`, codes[n]!, i)}${added[n]!.value(i)}`;
  const store = (i: number) => /* wgsl */ `
      {
        let g = ${side(0, i)};
        result[column + ${i}u] = g / (1.0 + exp(-g)) * (${side(1, i)});
      }`;
  return {
    label,
    threads,
    groups: Math.ceil(gate.weight.outFeatures / codes[0]!.columnsPerGroup),
    bindings: [
      ...inputBindings(input),
      ...codes.flatMap((code) => code.bindings),
      ...lowBinding([gate, up]),
      ...added.flatMap(({ bindings }) => bindings),
      { name: 'result', type: 'f32', buffer: result, access: 'read_write' },
    ],
    code: `${prelude(input, 2, threads)}\n${added.map(({ code }) => code).join('\n')}\n${columnFunction('main', codes, gate.weight, input, (width) => unroll(width, store))}`,
  };
}

/** What decides in which variant a command is made: all that its linears put out, and the layout of the largest. */
export function productShape(weights: readonly PlainWeight[]): ProductShape {
  const largest = weights.reduce((a, b) => (b.outFeatures > a.outFeatures ? b : a));
  return {
    layout: largest.kind === 'affine' ? `affine${largest.bits}` : largest.kind,
    inFeatures: largest.inFeatures,
    outFeatures: weights.reduce((sum, { outFeatures }) => sum + outFeatures, 0),
  };
}

/** Storage buffers that a product needs, against what a device binds at once. */
export function bindingsOf(input: ProductInput, factors: readonly Factor[], extra = 0): number {
  const each = factors.map(
    ({ weight, bias, updates = [] }) => (weight.kind === 'affine' ? (weight.pairs ? 2 : 3) : 1) + (bias ? 1 : 0) + updates.length,
  );
  return each.reduce((sum, count) => sum + count, 2 + (input.norm ? 1 : 0) + lowBinding(factors).length + extra);
}

/** What the `n`-th factor adds to its products: a bias, and the terms of adapters, which the one thread that writes an output sums. */
function addedTo({ bias, updates = [], weight }: Factor, n: number): { bindings: Binding[]; code: string; value: (i: number) => string } {
  const bindings: Binding[] = bias ? [{ name: `bias${n}`, type: 'f32', buffer: bufferOf(bias), access: 'read' }] : [];
  const sums = updates.map(({ at, b, scale }, m) => {
    bindings.push({ name: `update${n}_${m}`, type: 'f32', buffer: bufferOf(b), access: 'read' });
    return /* wgsl */ `
      for (var r = 0u; r < ${b.shape[0]}u; r++) {
        sum += ${scale} * low[${at}u + r] * update${n}_${m}[r * ${weight.outFeatures}u + column];
      }`;
  });
  return {
    bindings,
    code: updates.length > 0 ? `fn updates${n}(column : u32) -> f32 {\nvar sum = 0.0;${sums.join('')}\nreturn sum;\n}` : '',
    value: (i) => `${bias ? ` + bias${n}[column + ${i}u]` : ''}${updates.length > 0 ? ` + updates${n}(column + ${i}u)` : ''}`,
  };
}

/** All updates of a command lie in one buffer. */
function lowBinding(factors: readonly Factor[]): Binding[] {
  const low = factors.flatMap(({ updates = [] }) => updates)[0]?.low;
  return low ? [{ name: 'low', type: 'f32', buffer: low, access: 'read' }] : [];
}

/** Weights that one thread can walk in step, as gate and up are; not in parts. */
export function walkAlike(a: LinearWeight, b: LinearWeight): boolean {
  return a.kind !== 'parts' && a.kind === b.kind && a.inFeatures === b.inFeatures && a.outFeatures === b.outFeatures;
}

function inputBindings({ row, norm }: ProductInput): Binding[] {
  const bindings: Binding[] = [{ name: 'x', type: 'vec4<f32>', buffer: row, access: 'read' }];
  if (norm) bindings.push({ name: 'normWeight', type: 'vec4<f32>', buffer: bufferOf(norm.weight), access: 'read' });
  return bindings;
}

function element(total: string, { width }: WeightCode, i: number): string {
  return width === 4 ? `${total}[${i}]` : total;
}

function prelude({ norm }: ProductInput, sums: number, threads: number): string {
  return /* wgsl */ `
    ${unroll(sums, (n) => `var<workgroup> parts${n} : array<vec4<f32>, ${threads}>;`)}
    ${norm ? `var<workgroup> squareParts : array<f32, ${threads}>;` : ''}
  `;
}

/**
 * WGSL function that finds the outputs of one workgroup: every thread its share, one barrier, then the threads that write add up.
 * With a norm the threads that share an output square what they read of the row as well, and the products are scaled at the end:
 * (x · r) W = r (x W).
 */
function columnFunction(
  name: string,
  codes: readonly WeightCode[],
  { inFeatures, outFeatures }: LinearWeight,
  { norm }: ProductInput,
  store: (width: 1 | 4) => string,
): string {
  const { width, column, loop, vectors, shares, sharePlace, writes } = codes[0]!;
  const type = width === 4 ? 'vec4<f32>' : 'f32';
  const lane = width === 4 ? '' : '.x';
  const readRow = (n: number) => {
    const place = `turn * ${vectors}u + ${n}u`;
    if (!norm) return `let row${n} = x[${place}];`;
    return `let x${n} = x[${place}]; squares += dot(x${n}, x${n}); let row${n} = x${n} * normWeight[${place}];`;
  };
  const addUp = (i: string) => /* wgsl */ `
        ${codes.map((_, n) => `total${n} += parts${n}[${sharePlace(i)}]${lane};`).join('\n')}
        ${norm ? `square += squareParts[${sharePlace(i)}];` : ''}`;
  return /* wgsl */ `
    fn ${name}(group : u32, thread : u32) {
      let column = ${column};
      ${codes.map((_, n) => `var sum${n} = ${type}();`).join('\n')}
      ${norm ? 'var squares = 0.0;' : ''}
      if (column < ${outFeatures}u) {
        ${loop} {
          ${unroll(vectors, readRow)}
          ${codes.map((code, n) => code.accumulate(`sum${n}`)).join('\n')}
        }
      }
      ${codes.map((_, n) => `parts${n}[thread]${lane} = sum${n};`).join('\n')}
      ${norm ? 'squareParts[thread] = squares;' : ''}
      workgroupBarrier();
      if (!(${writes}) || column >= ${outFeatures}u) {
        return;
      }
      ${codes.map((_, n) => `var total${n} = ${type}();`).join('\n')}
      ${norm ? 'var square = 0.0;' : ''}
      for (var i = 0u; i < ${shares}u; i++) {
        ${addUp('i')}
      }
      ${norm ? `let scale = inverseSqrt(square / ${inFeatures}.0 + ${norm.eps});` : ''}
      ${norm ? codes.map((_, n) => `total${n} *= scale;`).join('\n') : ''}
      ${store(width)}
    }
  `;
}
