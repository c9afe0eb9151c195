import { type TensorInfo, util } from '@tensorflow/tfjs';

import { type Program, runProgram } from './webgpu-program.ts';

/**
 * Programs that map equal positions of their inputs to one output, four at a time where the size allows.
 *
 * @param functions WGSL with `fn compute(…) -> V`, one parameter of type V an input; V is f32 or vec4<f32>
 */
export function elementwise(name: string, inputs: string[], functions: string): (...tensors: TensorInfo[]) => TensorInfo {
  const make = (components: 1 | 4): Program => ({
    name,
    inputs: inputs.map((input) => ({ name: input, components })),
    uniforms: [{ name: 'count', type: 'u32' }],
    outputComponents: components,
    threads: 64,
    code: /* wgsl */ `
      alias V = ${components === 4 ? 'vec4<f32>' : 'f32'};
      ${functions}
      fn main() {
        let i = groupIndex() * THREADS + localIndex;
        if (i < uniforms.count) {
          result[i] = compute(${inputs.map((input) => `${input}[i]`).join(', ')});
        }
      }
    `,
  });
  const single = make(1);
  const vector = make(4);
  return (...tensors) => {
    const shape = tensors[0]!.shape;
    const size = util.sizeFromShape(shape);
    const [program, count] = size % 4 === 0 ? [vector, size / 4] : [single, size];
    return runProgram(program, {
      inputs: tensors,
      uniforms: { count },
      outputShape: shape,
      groups: Math.ceil(count / program.threads),
    });
  };
}
