import type { TensorInfo } from '@tensorflow/tfjs';
import { eachColumn, normProgram, runNorm } from '../norm-program.ts';

const program = normProgram(
  'rms-norm',
  ['x', 'weight'],
  /* wgsl */ `
      var squares = 0.0;
      ${eachColumn('squares += x[base + c] * x[base + c];')}
      let scale = inverseSqrt(reduceSum(squares) / f32(uniforms.width) + uniforms.eps);
      ${eachColumn('result[base + c] = x[base + c] * scale * weight[c];')}
  `,
);

export function rmsNormProgram(x: TensorInfo, weight: TensorInfo, eps: number): TensorInfo {
  return runNorm(program, [x, weight], eps);
}
