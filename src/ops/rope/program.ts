import type { TensorInfo } from '@tensorflow/tfjs';

import { type Program, runProgram } from '../webgpu-program.ts';

/**
 * WGSL `turn(angle) -> (cos, sin)`. WGSL promises sin and cos only inside [−π, π] and there to 2⁻¹¹, far too coarse for positions in
 * the thousands, so the angle is reduced by multiples of π/2 in three parts (Cody & Waite) and the rest is a polynomial
 * (Cephes sinf).
 */
export const ROTATION = /* wgsl */ `
    fn turn(angle : f32) -> vec2<f32> {
      let quarters = round(angle * 0.636619772);
      let r = ((angle - quarters * 1.5703125) - quarters * 4.837512969970703e-4) - quarters * 7.549789954891882e-8;
      let z = r * r;
      let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
      let c = 1.0 - 0.5 * z + z * z * (4.166664568e-2 + z * (-1.388731625e-3 + z * 2.443315712e-5));
      switch (i32(quarters) & 3) {
        case 0: { return vec2<f32>(c, s); }
        case 1: { return vec2<f32>(-s, c); }
        case 2: { return vec2<f32>(-c, -s); }
        default: { return vec2<f32>(s, -c); }
      }
    }
`;

/** One thread a pair. */
const program: Program = {
  name: 'rope',
  inputs: [{ name: 'x' }, { name: 'positions' }, { name: 'inverseFrequencies' }],
  uniforms: [
    { name: 'rows', type: 'u32' },
    { name: 'heads', type: 'u32' },
    { name: 'halfDim', type: 'u32' },
    { name: 'direction', type: 'f32' },
  ],
  threads: 64,
  code: /* wgsl */ `
    ${ROTATION}
    fn main() {
      let pair = groupIndex() * THREADS + localIndex;
      if (pair >= uniforms.rows * uniforms.heads * uniforms.halfDim) {
        return;
      }
      let i = pair % uniforms.halfDim;
      let head = pair / uniforms.halfDim;
      let row = head / uniforms.heads;
      let cs = turn(f32(positions[row]) * uniforms.direction * inverseFrequencies[i]);
      let first = head * 2u * uniforms.halfDim + i;
      let second = first + uniforms.halfDim;
      let a = x[first];
      let b = x[second];
      result[first] = a * cs.x - b * cs.y;
      result[second] = b * cs.x + a * cs.y;
    }
  `,
};

export function ropeProgram(
  x: TensorInfo,
  positions: TensorInfo,
  inverseFrequencies: TensorInfo,
  heads: number,
  direction: 1 | -1,
): TensorInfo {
  const rows = x.shape[0]!;
  const halfDim = inverseFrequencies.shape[0]!;
  return runProgram(program, {
    inputs: [x, positions, inverseFrequencies],
    uniforms: { rows, heads, halfDim, direction },
    outputShape: x.shape,
    groups: Math.ceil((rows * heads * halfDim) / program.threads),
  });
}
