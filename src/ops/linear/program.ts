import type { TensorInfo } from '@tensorflow/tfjs';

import type { AffineBits } from '../affine.ts';
import { unroll } from '../unroll.ts';
import { type Program, runProgram } from '../webgpu-program.ts';

/**
 * How the right-hand matrix B [K, N] lies in memory.
 * - `f32`: row-major floats
 * - `f32-columns`: transposed floats [N, K]
 * - `f16`: transposed, packed halves [N, ceil(K / 2)] (a checkpoint's weight [out, in], for y = x · Wᵀ)
 * - `f16-rows`: row-major, packed halves [K, ceil(N / 2)] (the same weight, for dx = dy · W)
 * - `affine4`, `affine8`: transposed and quantised, words [N, K · bits / 32] (../affine.ts), for y = x · Wᵀ
 * - `affine4-rows`, `affine8-rows`: row-major and quantised, words [K, N · bits / 32], for dx = dy · W
 */
type Layout = 'f32' | 'f32-columns' | 'f16' | 'f16-rows' | AffineLayout;
type AffineLayout = `affine${AffineBits}${'' | '-rows'}`;

function isAffine(layout: Layout): layout is AffineLayout {
  return layout.startsWith('affine');
}

function bitsOf(layout: AffineLayout): AffineBits {
  return layout.startsWith('affine4') ? 4 : 8;
}

/** How the left-hand matrix lies: `rows` [R, K], or `columns` [K, R], its transpose. */
type LeftLayout = 'rows' | 'columns';

const UNIFORMS: Program['uniforms'] = [
  { name: 'rows', type: 'u32' },
  { name: 'inner', type: 'u32' },
  { name: 'columns', type: 'u32' },
];
const AFFINE_UNIFORMS: Program['uniforms'] = [...UNIFORMS, { name: 'groupSize', type: 'u32' }];

/** Place of row r in x, the last row for those past the end. */
const rowAt = (r: number) => `min(${r}u, uniforms.rows - 1u) * uniforms.inner`;

const halves = (word: string) => `unpack2x16float(bitcast<u32>(${word}))`;

function inputsOf(weightComponents: 1 | 4, xComponents: 1 | 4, withBias: boolean, affine = false): Program['inputs'] {
  const inputs: Program['inputs'] = [
    { name: 'x', components: xComponents },
    { name: 'weight', components: weightComponents },
    ...(affine ? [{ name: 'scales' }, { name: 'biases' }] : []),
  ];
  return withBias ? [...inputs, { name: 'bias' }] : inputs;
}

// ---- many rows: tiles in workgroup memory ---------------------------------------------------------------------------

/** Depth of a tile. */
const TILE_K = 16;
/** Columns of a tile, 16 threads of four. */
const TILE_N = 64;

/**
 * Statements that fill `tileB[k · 16 + c]`, four columns each, from column `columnBase` and depth `depth`; zeros
 * outside.
 */
function loadB(layout: Layout, vectorised: boolean): string {
  if (layout === 'f16') {
    // A thread takes one word (two depths) of four neighbouring rows, so that it owns whole vectors of the tile.
    const read = (i: number) => /* wgsl */ `
          if (n + ${i}u < uniforms.columns && k < uniforms.inner) {
            let pair = ${halves(`weight[(n + ${i}u) * words + k / 2u]`)};
            low[${i}] = pair.x;
            high[${i}] = pair.y;
          }`;
    return /* wgsl */ `
        if (localIndex < 128u) {
          let words = (uniforms.inner + 1u) / 2u;
          let n = columnBase + (localIndex / 8u) * 4u;
          let k = depth + (localIndex % 8u) * 2u;
          var low = vec4<f32>();
          var high = vec4<f32>();
          ${[0, 1, 2, 3].map(read).join('')}
          let at = (localIndex % 8u) * 32u + localIndex / 8u;
          tileB[at] = low;
          tileB[at + 16u] = high;
        }`;
  }
  if (layout === 'affine4' || layout === 'affine8') {
    // As for halves: two depths of four neighbouring rows a thread. Both lie in one word and one group.
    const bits = bitsOf(layout);
    const perWord = `${32 / bits}u`;
    const read = (i: number) => /* wgsl */ `
          if (n + ${i}u < uniforms.columns && k < uniforms.inner) {
            let word = bitcast<u32>(weight[((n + ${i}u) * uniforms.inner + k) / ${perWord}]) >> (k % ${perWord} * ${bits}u);
            let group = ((n + ${i}u) * uniforms.inner + k) / uniforms.groupSize;
            let pair = vec2<f32>(vec2<u32>(word, word >> ${bits}u) & vec2<u32>(${2 ** bits - 1}u)) * scales[group] + biases[group];
            low[${i}] = pair.x;
            high[${i}] = pair.y;
          }`;
    return /* wgsl */ `
        if (localIndex < 128u) {
          let n = columnBase + (localIndex / 8u) * 4u;
          let k = depth + (localIndex % 8u) * 2u;
          var low = vec4<f32>();
          var high = vec4<f32>();
          ${[0, 1, 2, 3].map(read).join('')}
          let at = (localIndex % 8u) * 32u + localIndex / 8u;
          tileB[at] = low;
          tileB[at + 16u] = high;
        }`;
  }
  if (layout === 'f32-columns') {
    const read = (i: number) =>
      `if (n + ${i}u < uniforms.columns && k < uniforms.inner) { b[${i}] = weight[(n + ${i}u) * uniforms.inner + k]; }`;
    return /* wgsl */ `
        {
          let k = depth + localIndex % 16u;
          let n = columnBase + localIndex / 16u * 4u;
          var b = vec4<f32>();
          ${[0, 1, 2, 3].map(read).join(' ')}
          tileB[localIndex % 16u * 16u + localIndex / 16u] = b;
        }`;
  }
  let read: string;
  if (layout === 'f16-rows') {
    read = /* wgsl */ `
            let words = (uniforms.columns + 1u) / 2u;
            let first = ${halves('weight[k * words + n / 2u]')};
            b = vec4<f32>(first, 0.0, 0.0);
            if (n + 2u < uniforms.columns) {
              b = vec4<f32>(first, ${halves('weight[k * words + n / 2u + 1u]')});
            }`;
  } else if (isAffine(layout)) {
    // Columns are a multiple of 32, so four neighbours exist, in one word and one group.
    const bits = bitsOf(layout);
    read = /* wgsl */ `
            let at = k * uniforms.columns + n;
            let word = bitcast<u32>(weight[at / ${32 / bits}u]) >> (at % ${32 / bits}u * ${bits}u);
            let group = at / uniforms.groupSize;
            b = ${quantised('word', bits)} * scales[group] + biases[group];`;
  } else if (vectorised) {
    read = 'b = weight[(k * uniforms.columns + n) / 4u];';
  } else {
    read = [0, 1, 2, 3]
      .map((i) => `if (n + ${i}u < uniforms.columns) { b[${i}] = weight[k * uniforms.columns + n + ${i}u]; }`)
      .join(' ');
  }
  return /* wgsl */ `
        {
          let k = depth + localIndex / 16u;
          let n = columnBase + (localIndex % 16u) * 4u;
          var b = vec4<f32>();
          if (k < uniforms.inner && n < uniforms.columns) {
            ${read}
          }
          tileB[localIndex] = b;
        }`;
}

/** The four lowest numbers of a word. */
function quantised(word: string, bits: AffineBits): string {
  const shifts = [0, 1, 2, 3].map((i) => `${i * bits}u`).join(', ');
  return `vec4<f32>((vec4<u32>(${word}) >> vec4<u32>(${shifts})) & vec4<u32>(${2 ** bits - 1}u))`;
}

/** Each of 16 × 16 threads computes `perThread` rows × 4 columns; both operands pass through workgroup memory. */
function tiledProgram(
  left: LeftLayout,
  layout: Layout,
  perThread: 1 | 4,
  vectorised: boolean,
  withBias: boolean,
): Program {
  const tileRows = 16 * perThread;
  // One more than the rows, so that threads which store along the depth meet different memory banks.
  const stride = tileRows + 1;
  const source =
    left === 'rows' ? '(rowBase + r) * uniforms.inner + depth + k' : '(depth + k) * uniforms.rows + rowBase + r';
  return {
    name: `linear-${left}-${layout}-tiled`,
    inputs: inputsOf(layout === 'f32' && vectorised ? 4 : 1, 1, withBias, isAffine(layout)),
    uniforms: isAffine(layout) ? AFFINE_UNIFORMS : UNIFORMS,
    threads: 256,
    code: /* wgsl */ `
      var<workgroup> tileA : array<f32, ${stride * TILE_K}>;
      var<workgroup> tileB : array<vec4<f32>, ${(TILE_N / 4) * TILE_K}>;
      fn store(row : u32, column : u32, value : vec4<f32>) {
        if (row >= uniforms.rows) {
          return;
        }
        for (var i = 0u; i < 4u; i++) {
          if (column + i < uniforms.columns) {
            result[row * uniforms.columns + column + i] = value[i]${withBias ? ' + bias[column + i]' : ''};
          }
        }
      }
      fn main() {
        // Row tiles first: neighbouring workgroups share a column tile of the weight, the larger operand.
        let rowTiles = (uniforms.rows + ${tileRows - 1}u) / ${tileRows}u;
        let rowBase = (groupIndex() % rowTiles) * ${tileRows}u;
        let columnBase = (groupIndex() / rowTiles) * ${TILE_N}u;
        let tx = localIndex % 16u;
        let ty = localIndex / 16u;
        ${unroll(perThread, (i) => `var sum${i} = vec4<f32>();`)}
        for (var depth = 0u; depth < uniforms.inner; depth += ${TILE_K}u) {
          for (var i = 0u; i < ${perThread}u; i++) {
            // Neighbouring threads read neighbouring places, whichever way the operand lies.
            let at = localIndex + i * 256u;
            let r = ${left === 'rows' ? 'at / 16u' : `at % ${tileRows}u`};
            let k = ${left === 'rows' ? 'at % 16u' : `at / ${tileRows}u`};
            var a = 0.0;
            if (rowBase + r < uniforms.rows && depth + k < uniforms.inner) {
              a = x[${source}];
            }
            tileA[k * ${stride}u + r] = a;
          }
          ${loadB(layout, vectorised)}
          workgroupBarrier();
          for (var k = 0u; k < ${TILE_K}u; k++) {
            let b = tileB[k * 16u + tx];
            let a = k * ${stride}u + ty * ${perThread}u;
            ${unroll(perThread, (i) => `sum${i} += tileA[a + ${i}u] * b;`)}
          }
          workgroupBarrier();
        }
        ${unroll(perThread, (i) => `store(rowBase + ty * ${perThread}u + ${i}u, columnBase + tx * 4u, sum${i});`)}
      }
    `,
  };
}

// ---- few rows: every weight is read once, by neighbouring threads ---------------------------------------------------

/** Rows up to which the weight is streamed past all rows at once (decode). */
const FEW_ROWS = 8;
type RowBlock = 1 | 2 | 4 | 8;

/** Threads that share the depth of a column in {@link columnProgram}. */
const SLICES = 8;

/**
 * B [K, N] in floats: 16 lanes take neighbouring columns, 8 slices of threads share the depth and are added up row by
 * row.
 */
function columnProgram(block: RowBlock, vectorised: boolean, withBias: boolean): Program {
  const type = vectorised ? 'vec4<f32>' : 'f32';
  const width = vectorised ? 4 : 1;
  const total = `total${vectorised ? '[i]' : ''}${withBias ? ' + bias[column + i]' : ''}`;
  const finishRow = (r: number) => /* wgsl */ `
        parts[localIndex] = sum${r};
        workgroupBarrier();
        if (localIndex < 16u && ${r}u < uniforms.rows && column < uniforms.columns) {
          var total = ${type}();
          for (var s = 0u; s < ${SLICES}u; s++) {
            total += parts[s * 16u + lane];
          }
          for (var i = 0u; i < ${width}u; i++) {
            result[${r}u * uniforms.columns + column + i] = ${total};
          }
        }
        workgroupBarrier();`;
  return {
    name: 'linear-f32-few-rows',
    inputs: inputsOf(width, 1, withBias),
    uniforms: UNIFORMS,
    threads: 16 * SLICES,
    code: /* wgsl */ `
      // Small on purpose: software adapters take long to compile programs with much workgroup memory.
      var<workgroup> parts : array<${type}, THREADS>;
      fn main() {
        let lane = localIndex % 16u;
        let slice = localIndex / 16u;
        let column = (groupIndex() * 16u + lane) * ${width}u;
        ${unroll(block, (r) => `var sum${r} = ${type}();`)}
        if (column < uniforms.columns) {
          for (var k = slice; k < uniforms.inner; k += ${SLICES}u) {
            let b = weight[(k * uniforms.columns + column) / ${width}u];
            ${unroll(block, (r) => `sum${r} += x[${rowAt(r)} + k] * b;`)}
          }
        }
        ${unroll(block, finishRow)}
      }
    `,
  };
}

/** End of a program whose 16 lanes each hold a part of `sum0`, `sum1` … of their line's column. */
function finishRows(block: RowBlock, withBias: boolean): string {
  return /* wgsl */ `
        ${unroll(block, (r) => `parts[${r * 64}u + localIndex] = sum${r};`)}
        workgroupBarrier();
        // Lane r now adds up row r.
        let row = lane;
        if (row >= min(${block}u, uniforms.rows) || column >= uniforms.columns) {
          return;
        }
        var total = 0.0;
        for (var l = 0u; l < 16u; l++) {
          total += parts[row * 64u + line * 16u + l];
        }
        result[row * uniforms.columns + column] = total${withBias ? ' + bias[column]' : ''};`;
}

/** B in packed halves [N, words]: 16 lanes stride along one weight row, 4 weight rows a workgroup. */
function rowProgram(block: RowBlock, vectorised: boolean, withBias: boolean): Program {
  const addVectors = (r: number) => /* wgsl */ `
            {
              let at = ${rowAt(r)} / 4u + w * 2u;
              sum${r} += dot(x[at], first) + dot(x[at + 1u], second);
            }`;
  const addPair = (r: number) => /* wgsl */ `
            {
              let at = ${rowAt(r)} + w * 2u;
              sum${r} += x[at] * pair.x + select(x[at + 1u], 0.0, last) * pair.y;
            }`;
  const body = vectorised
    ? /* wgsl */ `
          let words = uniforms.inner / 8u;
          for (var w = lane; w < words; w += 16u) {
            let packed = bitcast<vec4<u32>>(weight[column * words + w]);
            let first = vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y));
            let second = vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w));
            ${unroll(block, addVectors)}
          }`
    : /* wgsl */ `
          let words = (uniforms.inner + 1u) / 2u;
          for (var w = lane; w < words; w += 16u) {
            let pair = ${halves('weight[column * words + w]')};
            let last = w * 2u + 1u >= uniforms.inner;
            ${unroll(block, addPair)}
          }`;
  return {
    name: 'linear-f16-few-rows',
    inputs: inputsOf(vectorised ? 4 : 1, vectorised ? 4 : 1, withBias),
    uniforms: UNIFORMS,
    threads: 64,
    code: /* wgsl */ `
      var<workgroup> parts : array<f32, ${64 * block}>;
      fn main() {
        let lane = localIndex % 16u;
        let line = localIndex / 16u;
        let column = groupIndex() * 4u + line;
        ${unroll(block, (r) => `var sum${r} = 0.0;`)}
        if (column < uniforms.columns) {
          ${body}
        }
        ${finishRows(block, withBias)}
      }
    `,
  };
}

/**
 * B quantised, [N, words]: lanes and rows as in {@link rowProgram}, four words a step. 32 columns divide into groups, so
 * a step (32 or 16 numbers) lies in one.
 */
function affineRowProgram(bits: AffineBits, block: RowBlock, withBias: boolean): Program {
  const vectors = 32 / bits;
  const component = (i: number) => `packed[${Math.floor((i * bits) / 8)}] >> ${((i * 4 * bits) % 32).toString()}u`;
  const addVector = (i: number) => /* wgsl */ `
            {
              let b = ${quantised(`(${component(i)})`, bits)} * scale + shift;
              ${unroll(block, (r) => `sum${r} += dot(x[${rowAt(r)} / 4u + step * ${vectors}u + ${i}u], b);`)}
            }`;
  return {
    name: `linear-affine${bits}-few-rows`,
    inputs: inputsOf(4, 4, withBias, true),
    uniforms: AFFINE_UNIFORMS,
    threads: 64,
    code: /* wgsl */ `
      var<workgroup> parts : array<f32, ${64 * block}>;
      fn main() {
        let lane = localIndex % 16u;
        let line = localIndex / 16u;
        let column = groupIndex() * 4u + line;
        ${unroll(block, (r) => `var sum${r} = 0.0;`)}
        if (column < uniforms.columns) {
          let steps = uniforms.inner / ${4 * vectors}u;
          for (var step = lane; step < steps; step += 16u) {
            let packed = bitcast<vec4<u32>>(weight[column * steps + step]);
            let group = (column * steps + step) * ${4 * vectors}u / uniforms.groupSize;
            let scale = scales[group];
            let shift = biases[group];
            ${unroll(vectors, addVector)}
          }
        }
        ${finishRows(block, withBias)}
      }
    `,
  };
}

// ---- choice ---------------------------------------------------------------------------------------------------------

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
  const program = once(`${layout} few ${block} ${vectorised} ${withBias}`, () => make(block, vectorised, withBias));
  const columnsPerGroup = layout === 'f32' ? (vectorised ? 64 : 16) : 4;
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

function tileCount(rows: number, columns: number, perThread: number): number {
  return Math.ceil(rows / (16 * perThread)) * Math.ceil(columns / TILE_N);
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

export interface AffineOperand {
  words: TensorInfo;
  scales: TensorInfo;
  biases: TensorInfo;
}

/** x [R, in] · weightᵀ, weight quantised [out, in] (+ bias). */
export function linearAffineProgram(
  x: TensorInfo,
  { words, scales, biases }: AffineOperand,
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
  bias?: TensorInfo,
): TensorInfo {
  const [rows = 0, inner = 0] = x.shape;
  const columns = words.shape[0]!;
  const withBias = bias !== undefined;
  const few = rows <= FEW_ROWS;
  const perThread = rows <= 16 ? 1 : 4;
  const block = ([1, 2, 4, 8] as const).find((n) => n >= rows) ?? 8;
  const program = few
    ? once(`affine${bits} few ${block} ${withBias}`, () => affineRowProgram(bits, block, withBias))
    : once(`affine${bits} tiled ${perThread} ${withBias}`, () =>
        tiledProgram('rows', `affine${bits}`, perThread, false, withBias),
      );
  return runProgram(program, {
    inputs: bias ? [x, words, scales, biases, bias] : [x, words, scales, biases],
    uniforms: { rows, inner, columns, groupSize },
    outputShape: [rows, columns],
    groups: few ? Math.ceil(columns / 4) : tileCount(rows, columns, perThread),
  });
}

/** dy [R, out] · weight, weight quantised [out, in]: the gradient to x. */
export function linearAffineGradientProgram(
  dy: TensorInfo,
  { words, scales, biases }: AffineOperand,
  { bits, groupSize }: { bits: AffineBits; groupSize: number },
): TensorInfo {
  const [rows = 0, inner = 0] = dy.shape;
  const columns = (words.shape[1]! * 32) / bits;
  const perThread = rows <= 16 ? 1 : 4;
  const program = once(`affine${bits}-rows tiled ${perThread}`, () =>
    tiledProgram('rows', `affine${bits}-rows`, perThread, false, false),
  );
  return runProgram(program, {
    inputs: [dy, words, scales, biases],
    uniforms: { rows, inner, columns, groupSize },
    outputShape: [rows, columns],
    groups: tileCount(rows, columns, perThread),
  });
}
