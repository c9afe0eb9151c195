import type { TensorInfo } from '@tensorflow/tfjs';
import { type Program, runProgram, workgroupReduction } from './webgpu-program.ts';

/** One workgroup a row of `x`: `row` and `base`, where it begins, are there for the code, and `reduceSum` over the workgroup's threads. */
export function normProgram(name: string, inputs: readonly string[], code: string): Program {
  return {
    name,
    inputs: inputs.map((input) => ({ name: input })),
    uniforms: [
      { name: 'rows', type: 'u32' },
      { name: 'width', type: 'u32' },
      { name: 'eps', type: 'f32' },
    ],
    threads: 64,
    code: /* wgsl */ `
    ${workgroupReduction('Sum', 8)}
    fn main() {
      let row = groupIndex();
      let inside = row < uniforms.rows;
      let base = row * uniforms.width;
      ${code}
    }
  `,
  };
}

/** For each column `c` of the row that this thread has. */
export function eachColumn(code: string): string {
  return /* wgsl */ `if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          ${code}
        }
      }`;
}

/** @param inputs `x` [rows, width] first @returns its shape */
export function runNorm(program: Program, inputs: [x: TensorInfo, ...others: TensorInfo[]], eps: number): TensorInfo {
  const [{ shape }] = inputs;
  const [rows = 0, width = 0] = shape;
  return runProgram(program, { inputs, uniforms: { rows, width, eps }, outputShape: shape, groups: rows });
}
