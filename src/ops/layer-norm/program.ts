import type { TensorInfo } from '@tensorflow/tfjs';

import { type Program, runProgram, workgroupReduction } from '../webgpu-program.ts';

/** One workgroup a row; the variance is taken around the mean, not as a difference of squares, which cancels. */
const program: Program = {
  name: 'layer-norm',
  inputs: [{ name: 'x' }, { name: 'weight' }, { name: 'bias' }],
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
      var sum = 0.0;
      if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          sum += x[base + c];
        }
      }
      let mean = reduceSum(sum) / f32(uniforms.width);
      var squares = 0.0;
      if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          let centred = x[base + c] - mean;
          squares += centred * centred;
        }
      }
      let scale = inverseSqrt(reduceSum(squares) / f32(uniforms.width) + uniforms.eps);
      if (inside) {
        for (var c = localIndex; c < uniforms.width; c += THREADS) {
          result[base + c] = (x[base + c] - mean) * scale * weight[c] + bias[c];
        }
      }
    }
  `,
};

export function layerNormProgram(x: TensorInfo, weight: TensorInfo, bias: TensorInfo, eps: number): TensorInfo {
  const [rows = 0, width = 0] = x.shape;
  return runProgram(program, {
    inputs: [x, weight, bias],
    uniforms: { rows, width, eps },
    outputShape: x.shape,
    groups: rows,
  });
}
