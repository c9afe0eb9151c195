import type { TensorInfo } from '@tensorflow/tfjs';
import { eachColumn, normProgram, runNorm } from '../norm-program.ts';

/** The variance is taken around the mean, not as a difference of squares, which cancels. */
const program = normProgram(
  'layer-norm',
  ['x', 'weight', 'bias'],
  /* wgsl */ `
      var sum = 0.0;
      ${eachColumn('sum += x[base + c];')}
      let mean = reduceSum(sum) / f32(uniforms.width);
      var squares = 0.0;
      ${eachColumn(`let centred = x[base + c] - mean;
          squares += centred * centred;`)}
      let scale = inverseSqrt(reduceSum(squares) / f32(uniforms.width) + uniforms.eps);
      ${eachColumn('result[base + c] = (x[base + c] - mean) * scale * weight[c] + bias[c];')}
  `,
);

export function layerNormProgram(x: TensorInfo, weight: TensorInfo, bias: TensorInfo, eps: number): TensorInfo {
  return runNorm(program, [x, weight, bias], eps);
}
