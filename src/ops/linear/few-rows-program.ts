import type { AffineBits } from '../affine.ts';
import { LANES, type Lines } from '../few-rows-lines.ts';
import { unroll } from '../unroll.ts';
import type { Program } from '../webgpu-program.ts';
import { AFFINE_UNIFORMS, UNIFORMS, halves, inputsOf, quantised, sidesAt, type Sides } from './layouts.ts';

/** Rows up to which every weight is read once, by neighbouring threads, and streamed past all rows at once (decode). */
export const FEW_ROWS = 8;
type RowBlock = 1 | 2 | 4 | 8;

/** Place of row r in x, the last row for those past the end. */
const rowAt = (r: number) => `min(${r}u, uniforms.rows - 1u) * uniforms.inner`;

/** B [K, N] in floats: 16 lanes take neighbouring columns, the lines are slices that share the depth and are added up row by row. */
export function columnProgram(block: RowBlock, vectorised: boolean, withBias: boolean, lines: Lines): Program {
  const type = vectorised ? 'vec4<f32>' : 'f32';
  const width = vectorised ? 4 : 1;
  const total = `total${vectorised ? '[i]' : ''}${withBias ? ' + bias[column + i]' : ''}`;
  const finishRow = (r: number) => /* wgsl */ `
        parts[localIndex] = sum${r};
        workgroupBarrier();
        if (localIndex < 16u && ${r}u < uniforms.rows && column < uniforms.columns) {
          var total = ${type}();
          for (var s = 0u; s < ${lines}u; s++) {
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
    threads: LANES * lines,
    code: /* wgsl */ `
      // Small on purpose: software GPU adapters take long to compile programs with much workgroup memory.
      var<workgroup> parts : array<${type}, THREADS>;
      fn main() {
        let lane = localIndex % 16u;
        let slice = localIndex / 16u;
        let column = (groupIndex() * 16u + lane) * ${width}u;
        ${unroll(block, (r) => `var sum${r} = ${type}();`)}
        if (column < uniforms.columns) {
          for (var k = slice; k < uniforms.inner; k += ${lines}u) {
            let b = weight[(k * uniforms.columns + column) / ${width}u];
            ${unroll(block, (r) => `sum${r} += x[${rowAt(r)} + k] * b;`)}
          }
        }
        ${unroll(block, finishRow)}
      }
    `,
  };
}

/**
 * Programs for a weight that lies row by row: 16 lanes stride along one weight row, as many weight rows a workgroup as lines.
 *
 * @param addUp WGSL that adds a lane's part of the products to `sum0`, `sum1` …
 */
function lineProgram(block: RowBlock, withBias: boolean, lines: Lines, addUp: string): string {
  return /* wgsl */ `
      var<workgroup> parts : array<f32, ${LANES * lines * block}>;
      fn main() {
        let lane = localIndex % 16u;
        let line = localIndex / 16u;
        let column = groupIndex() * ${lines}u + line;
        ${unroll(block, (r) => `var sum${r} = 0.0;`)}
        if (column < uniforms.columns) {
          ${addUp}
        }
        ${unroll(block, (r) => `parts[${r}u * THREADS + localIndex] = sum${r};`)}
        workgroupBarrier();
        // Lane r now adds up row r.
        let row = lane;
        if (row >= min(${block}u, uniforms.rows) || column >= uniforms.columns) {
          return;
        }
        var total = 0.0;
        for (var l = 0u; l < 16u; l++) {
          total += parts[row * THREADS + line * 16u + l];
        }
        result[row * uniforms.columns + column] = total${withBias ? ' + bias[column]' : ''};
      }
    `;
}

/** B in packed halves [N, words]. */
export function rowProgram(block: RowBlock, vectorised: boolean, withBias: boolean, lines: Lines): Program {
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
    threads: LANES * lines,
    code: lineProgram(block, withBias, lines, body),
  };
}

/**
 * B quantised, [N, words]: four words a step. 32 columns divide into groups, so a step (32 or 16 numbers) lies in
 * one.
 */
export function affineRowProgram(bits: AffineBits, block: RowBlock, withBias: boolean, lines: Lines, sides: Sides): Program {
  const vectors = 32 / bits;
  const component = (i: number) => `packed[${Math.floor((i * bits) / 8)}] >> ${((i * 4 * bits) % 32).toString()}u`;
  const addVector = (i: number) => /* wgsl */ `
            {
              let b = ${quantised(`(${component(i)})`, bits)} * sides.x + sides.y;
              ${unroll(block, (r) => `sum${r} += dot(x[${rowAt(r)} / 4u + step * ${vectors}u + ${i}u], b);`)}
            }`;
  return {
    name: `linear-affine${bits}-few-rows`,
    inputs: inputsOf(4, 4, withBias, sides),
    uniforms: AFFINE_UNIFORMS,
    threads: LANES * lines,
    code: lineProgram(
      block,
      withBias,
      lines,
      /* wgsl */ `
          let steps = uniforms.inner / ${4 * vectors}u;
          for (var step = lane; step < steps; step += 16u) {
            let packed = bitcast<vec4<u32>>(weight[column * steps + step]);
            let group = (column * steps + step) * ${4 * vectors}u / uniforms.groupSize;
            let sides = ${sidesAt('group', sides)};
            ${unroll(vectors, addVector)}
          }`,
    ),
  };
}
