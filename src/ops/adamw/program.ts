import type { TensorInfo } from '@tensorflow/tfjs';

import { forgetHostCopy, runProgram, type Program } from '../webgpu-program.ts';
import { corrections, type AdamWStep, type AdamWTensors } from './step.ts';

/** `result` is read and written: the tensor is updated where it lies. */
function inPlace(name: string, inputs: string[], uniforms: string[], update: string): Program {
  return {
    name,
    inputs: inputs.map((input) => ({ name: input })),
    uniforms: [{ name: 'count', type: 'u32' }, ...uniforms.map((uniform) => ({ name: uniform, type: 'f32' as const }))],
    threads: 64,
    code: /* wgsl */ `
      fn main() {
        let i = groupIndex() * THREADS + localIndex;
        if (i >= uniforms.count) {
          return;
        }
        ${update}
      }
    `,
  };
}

const firstMoment = inPlace(
  'adamw-first',
  ['gradient'],
  ['beta', 'scale'],
  'result[i] = uniforms.beta * result[i] + (1.0 - uniforms.beta) * (gradient[i] * uniforms.scale);',
);

const secondMoment = inPlace(
  'adamw-second',
  ['gradient'],
  ['beta', 'scale'],
  `let g = gradient[i] * uniforms.scale;
        result[i] = uniforms.beta * result[i] + (1.0 - uniforms.beta) * g * g;`,
);

const value = inPlace(
  'adamw-value',
  ['first', 'second'],
  ['keep', 'stepSize', 'rootCorrection', 'eps'],
  `let divisor = sqrt(second[i]) / uniforms.rootCorrection + uniforms.eps;
        result[i] = uniforms.keep * result[i] - uniforms.stepSize * first[i] / divisor;`,
);

export function adamWPrograms(tensors: AdamWTensors, gradient: TensorInfo, step: AdamWStep): void {
  const { beta1, beta2, eps, learningRate, weightDecay, gradientScale: scale } = step;
  const count = tensors.value.size;
  const run = (program: Program, output: TensorInfo, inputs: TensorInfo[], uniforms: Record<string, number>) => {
    runProgram(program, {
      inputs,
      uniforms: { count, ...uniforms },
      outputShape: output.shape,
      groups: Math.ceil(count / program.threads),
      output,
    });
    forgetHostCopy(output);
  };
  run(firstMoment, tensors.first, [gradient], { beta: beta1, scale });
  run(secondMoment, tensors.second, [gradient], { beta: beta2, scale });
  run(value, tensors.value, [tensors.first, tensors.second], {
    keep: 1 - learningRate * weightDecay,
    eps,
    ...corrections(step),
  });
}
