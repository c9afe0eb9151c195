import { unroll } from '../unroll.ts';
import type { Program } from '../webgpu-program.ts';
import {
  AFFINE_UNIFORMS,
  UNIFORMS,
  bitsOf,
  halves,
  inputsOf,
  isAffine,
  quantised,
  sidesAt,
  type Layout,
  type LeftLayout,
  type Sides,
} from './layouts.ts';

/** Depth of a tile. */
const TILE_K = 16;
/** Columns of a tile, 16 threads of four. */
const TILE_N = 64;

/**
 * Statements that fill `tileB[k · 16 + c]`, four columns each, from column `columnBase` and depth `depth`; zeros
 * outside.
 */
function loadB(layout: Layout, vectorised: boolean, sides: Sides): string {
  if (layout === 'f16') {
    return loadPairs((row) => `let pair = ${halves(`weight[${row} * ((uniforms.inner + 1u) / 2u) + k / 2u]`)};`);
  }
  if (layout === 'affine4' || layout === 'affine8') {
    // Both depths lie in one word and one group.
    const bits = bitsOf(layout);
    const perWord = `${32 / bits}u`;
    return loadPairs(
      (row) => /* wgsl */ `
            let word = bitcast<u32>(weight[(${row} * uniforms.inner + k) / ${perWord}]) >> (k % ${perWord} * ${bits}u);
            let group = (${row} * uniforms.inner + k) / uniforms.groupSize;
            let sides = ${sidesAt('group', sides)};
            let pair = vec2<f32>(vec2<u32>(word, word >> ${bits}u) & vec2<u32>(${2 ** bits - 1}u)) * sides.x + sides.y;`,
    );
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
            let sides = ${sidesAt('group', sides)};
            b = ${quantised('word', bits)} * sides.x + sides.y;`;
  } else if (vectorised) {
    read = 'b = weight[(k * uniforms.columns + n) / 4u];';
  } else {
    read = [0, 1, 2, 3].map((i) => `if (n + ${i}u < uniforms.columns) { b[${i}] = weight[k * uniforms.columns + n + ${i}u]; }`).join(' ');
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

/**
 * A thread takes two depths of four neighbouring rows of the weight, so that it owns whole vectors of the tile.
 *
 * @param pairAt WGSL that defines `pair`, depths k and k + 1 of a row
 */
function loadPairs(pairAt: (row: string) => string): string {
  const read = (i: number) => /* wgsl */ `
          if (n + ${i}u < uniforms.columns && k < uniforms.inner) {
            ${pairAt(`(n + ${i}u)`)}
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

/** Each of 16 × 16 threads computes `perThread` rows × 4 columns; both operands pass through workgroup memory. */
export function tiledProgram(
  left: LeftLayout,
  layout: Layout,
  perThread: 1 | 4,
  vectorised: boolean,
  withBias: boolean,
  sides: Sides = 'apart',
): Program {
  const tileRows = 16 * perThread;
  // A thread's rows at one depth are one element, so that a turn reads two vectors and not one number after the other.
  const type = perThread === 4 ? 'vec4<f32>' : 'f32';
  const rowOf = (a: string, i: number) => (perThread === 4 ? `${a}[${i}]` : a);
  // One more than the elements of a depth, so that threads which store along the depth meet different memory banks.
  const stride = 17;
  // Neighbouring threads read the same lines of memory, whichever way the operand lies.
  const [r, k] = left === 'rows' ? ['localIndex / 16u', 'localIndex % 16u'] : ['localIndex % 16u', 'localIndex / 16u'];
  const source = (row: string) => (left === 'rows' ? `(${row}) * uniforms.inner + depth + k` : `(depth + k) * uniforms.rows + ${row}`);
  const readA = (i: number) => /* wgsl */ `
            if (row + ${i}u < uniforms.rows && depth + k < uniforms.inner) {
              ${rowOf('a', i)} = x[${source(`row + ${i}u`)}];
            }`;
  return {
    name: `linear-${left}-${layout}-tiled`,
    inputs: inputsOf(layout === 'f32' && vectorised ? 4 : 1, 1, withBias, isAffine(layout) ? sides : undefined),
    uniforms: isAffine(layout) ? AFFINE_UNIFORMS : UNIFORMS,
    threads: 256,
    code: /* wgsl */ `
      var<workgroup> tileA : array<${type}, ${stride * TILE_K}>;
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
          {
            let r = ${r};
            let k = ${k};
            let row = rowBase + r * ${perThread}u;
            var a = ${type}();
            ${unroll(perThread, readA)}
            tileA[k * ${stride}u + r] = a;
          }
          ${loadB(layout, vectorised, sides)}
          workgroupBarrier();
          for (var k = 0u; k < ${TILE_K}u; k++) {
            let b = tileB[k * 16u + tx];
            let a = tileA[k * ${stride}u + ty];
            ${unroll(perThread, (i) => `sum${i} += ${rowOf('a', i)} * b;`)}
          }
          workgroupBarrier();
        }
        ${unroll(perThread, (i) => `store(rowBase + ty * ${perThread}u + ${i}u, columnBase + tx * 4u, sum${i});`)}
      }
    `,
  };
}

/** Workgroups of a {@link tiledProgram}. */
export function tileCount(rows: number, columns: number, perThread: number): number {
  return Math.ceil(rows / (16 * perThread)) * Math.ceil(columns / TILE_N);
}
