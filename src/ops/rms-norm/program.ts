import type { TensorInfo } from '@tensorflow/tfjs';

import { type Program, runProgram, workgroupReduction } from '../webgpu-program.ts';

/** One workgroup a row. */
const program: Program = {
  name: 'rms-norm',
  inputs: [{ name: 'x' }, { name: 'weight' }],
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
      var squares = 0.0;
      if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          squares += x[base + c] * x[base + c];
        }
      }
      let scale = inverseSqrt(reduceSum(squares) / f32(uniforms.width) + uniforms.eps);
      if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          result[base + c] = x[base + c] * scale * weight[c];
        }
      }
    }
  `,
};

export function rmsNormProgram(x: TensorInfo, weight: TensorInfo, eps: number): TensorInfo {
  const [rows = 0, width = 0] = x.shape;
  return runProgram(program, {
    inputs: [x, weight],
    uniforms: { rows, width, eps },
    outputShape: x.shape,
    groups: rows,
  });
}
