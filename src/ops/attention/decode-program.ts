import { unroll } from '../unroll.ts';
import { type Program, workgroupReduction } from '../webgpu-program.ts';
import { maskInputs, type MaskTensors } from './mask-wgsl.ts';
import { common, componentsOf, inputList, UNIFORMS } from './wgsl.ts';

const THREADS = 64;

/**
 * Attention of single rows, for decode: a workgroup takes one row and head and one of `splits` runs of the keys, 64 at
 * a time. With one split it writes the result; with several, each writes its weighted sum, weight sum and maximum, [..,
 * splits, D + 2], for {@link combineProgram} ("flash decoding": one row alone would leave a GPU idle).
 */
export function decodeProgram(dim: number, mask: MaskTensors, split: boolean): Program {
  const components = componentsOf(dim);
  const units = dim / components;
  // Threads side by side along the head; the rest of the 64 share the keys.
  const lanes = Math.min(THREADS, 2 ** Math.ceil(Math.log2(units)));
  const shares = THREADS / lanes;
  const steps = Math.ceil(units / lanes);
  const write = (u: number) => {
    if (!split) return `result[rowHead(b, t, h) * UNITS + unit] = total${u} * select(0.0, 1.0 / sum, sum > 0.0);`;
    const at = `part * ${dim + 2}u + unit * ${components}u`;
    return components === 4 ? `for (var c = 0u; c < 4u; c++) { result[${at} + c] = total${u}[c]; }` : `result[${at}] = total${u};`;
  };
  const writeStats = /* wgsl */ `
        if (localIndex == 0u) {
          result[part * ${dim + 2}u + ${dim}u] = sum;
          result[part * ${dim + 2}u + ${dim + 1}u] = peak;
        }`;
  const joinShares = (u: number) => /* wgsl */ `
        workgroupBarrier();
        shareSums[localIndex] = acc${u};
        workgroupBarrier();
        var total${u} = V();
        for (var i = 0u; i < ${shares}u; i++) {
          total${u} += shareSums[i * ${lanes}u + lane];
        }`;
  const accumulate = (u: number) => `if (lane + ${u * lanes}u < UNITS) { acc${u} += weights[j] * v[at + ${u * lanes}u]; }`;
  return {
    name: split ? 'attention-decode-split' : 'attention-decode',
    inputs: inputList(
      dim,
      ['q', 'k', 'v'],
      maskInputs(mask).map(({ name }) => name),
    ),
    uniforms: UNIFORMS,
    outputComponents: split ? 1 : components,
    threads: THREADS,
    code: /* wgsl */ `
      ${common(dim, mask)}
      ${workgroupReduction('Max', 8)}
      ${workgroupReduction('Sum', 8)}
      var<workgroup> weights : array<f32, ${THREADS}>;
      var<workgroup> shareSums : array<V, ${THREADS}>;
      var<workgroup> sharedLimit : u32;
      fn main() {
        let part = groupIndex();
        let run = part % uniforms.splits;
        let place = part / uniforms.splits;
        let h = place % uniforms.heads;
        let g = h / (uniforms.heads / uniforms.kvHeads);
        let inside = place < uniforms.batch * uniforms.rows * uniforms.heads;
        let row = min(place / uniforms.heads, uniforms.batch * uniforms.rows - 1u);
        let b = row / uniforms.rows;
        let t = row % uniforms.rows;
        if (localIndex == 0u) {
          sharedLimit = keyLimit(b, t);
        }
        let limit = workgroupUniformLoad(&sharedLimit);
        // Whole blocks of 64 to each run, by the keys there are, not by the cache's capacity.
        let each = (limit + ${THREADS}u * uniforms.splits - 1u) / (${THREADS}u * uniforms.splits) * ${THREADS}u;
        let lane = localIndex % ${lanes}u;
        let share = localIndex / ${lanes}u;
        var peak = HIDDEN;
        var ownSum = 0.0;
        ${unroll(steps, (u) => `var acc${u} = V();`)}
        for (var step = 0u; step < each; step += ${THREADS}u) {
          let chunk = run * each + step;
          let s = chunk + localIndex;
          var score = HIDDEN;
          if (s < limit && sees(b, t, s)) {
            var product = 0.0;
            let qAt = rowHead(b, t, h) * UNITS;
            let kAt = keyHead(b, s, g) * UNITS;
            for (var u = 0u; u < UNITS; u++) {
              product += inner(q[qAt + u], k[kAt + u]);
            }
            score = product * SCALE;
          }
          let newPeak = max(peak, reduceMax(score));
          let factor = exp(peak - newPeak);
          peak = newPeak;
          var weight = 0.0;
          if (score > HIDDEN) {
            weight = exp(score - peak);
          }
          weights[localIndex] = weight;
          ownSum = ownSum * factor + weight;
          workgroupBarrier();
          ${unroll(steps, (u) => `acc${u} *= factor;`)}
          let count = min(${THREADS}u, limit - min(limit, chunk));
          for (var j = share; j < count; j += ${shares}u) {
            let at = keyHead(b, chunk + j, g) * UNITS + lane;
            ${unroll(steps, accumulate)}
          }
        }
        let sum = reduceSum(ownSum);
        ${unroll(steps, joinShares)}
        if (!inside || share > 0u) {
          return;
        }
        ${unroll(steps, (u) => `{ let unit = lane + ${u * lanes}u; if (unit < UNITS) { ${write(u)} } }`)}
        ${split ? writeStats : ''}
      }
    `,
  };
}

/** Joins the runs of {@link decodeProgram}: parts [count, splits, D + 2] → [count, D]. One thread an element. */
export const combineProgram: Program = {
  name: 'attention-combine',
  inputs: [{ name: 'parts' }],
  uniforms: [
    { name: 'count', type: 'u32' },
    { name: 'splits', type: 'u32' },
    { name: 'dim', type: 'u32' },
  ],
  threads: 64,
  code: /* wgsl */ `
    fn main() {
      let i = groupIndex() * THREADS + localIndex;
      if (i >= uniforms.count * uniforms.dim) {
        return;
      }
      let width = uniforms.dim + 2u;
      let base = i / uniforms.dim * uniforms.splits * width;
      var peak = ${'-1e30'};
      for (var r = 0u; r < uniforms.splits; r++) {
        peak = max(peak, parts[base + r * width + uniforms.dim + 1u]);
      }
      var sum = 0.0;
      var total = 0.0;
      for (var r = 0u; r < uniforms.splits; r++) {
        let at = base + r * width;
        let factor = exp(parts[at + uniforms.dim + 1u] - peak);
        sum += factor * parts[at + uniforms.dim];
        total += factor * parts[at + i % uniforms.dim];
      }
      result[i] = select(0.0, total / sum, sum > 0.0);
    }
  `,
};
