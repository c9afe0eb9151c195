import type { AffineBits } from '../affine.ts';
import type { Program } from '../webgpu-program.ts';

/**
 * How the right-hand matrix B [K, N] lies in memory.
 * - `f32`: row-major floats
 * - `f32-columns`: transposed floats [N, K]
 * - `f16`: transposed, packed halves [N, ceil(K / 2)] (a checkpoint's weight [out, in], for y = x · Wᵀ)
 * - `f16-rows`: row-major, packed halves [K, ceil(N / 2)] (the same weight, for dx = dy · W)
 * - `affine4`, `affine8`: transposed and quantised, words [N, K · bits / 32] (../affine.ts), for y = x · Wᵀ
 * - `affine4-rows`, `affine8-rows`: row-major and quantised, words [K, N · bits / 32], for dx = dy · W
 */
export type Layout = 'f32' | 'f32-columns' | 'f16' | 'f16-rows' | AffineLayout;
type AffineLayout = `affine${AffineBits}${'' | '-rows'}`;

export function isAffine(layout: Layout): layout is AffineLayout {
  return layout.startsWith('affine');
}

export function bitsOf(layout: AffineLayout): AffineBits {
  return layout.startsWith('affine4') ? 4 : 8;
}

/** How the left-hand matrix lies: `rows` [R, K], or `columns` [K, R], its transpose. */
export type LeftLayout = 'rows' | 'columns';

export const UNIFORMS: Program['uniforms'] = [
  { name: 'rows', type: 'u32' },
  { name: 'inner', type: 'u32' },
  { name: 'columns', type: 'u32' },
];
export const AFFINE_UNIFORMS: Program['uniforms'] = [...UNIFORMS, { name: 'groupSize', type: 'u32' }];

/** The two halves in a word. */
export const halves = (word: string) => `unpack2x16float(bitcast<u32>(${word}))`;

/** The four lowest numbers of a word. */
export function quantised(word: string, bits: AffineBits): string {
  const shifts = [0, 1, 2, 3].map((i) => `${i * bits}u`).join(', ');
  return `vec4<f32>((vec4<u32>(${word}) >> vec4<u32>(${shifts})) & vec4<u32>(${2 ** bits - 1}u))`;
}

/** How scales and biases of a quantised matrix lie: as floats of their own, or paired in a word (AffineSides in ../types.ts). */
export type Sides = 'apart' | 'paired';

export function sideInputs(sides: Sides): Program['inputs'] {
  return sides === 'paired' ? [{ name: 'pairs' }] : [{ name: 'scales' }, { name: 'biases' }];
}

/** WGSL: scale and bias of a group, `vec2<f32>`. */
export function sidesAt(group: string, sides: Sides, tag = ''): string {
  return sides === 'paired' ? halves(`pairs${tag}[${group}]`) : `vec2<f32>(scales${tag}[${group}], biases${tag}[${group}])`;
}

export function inputsOf(weightComponents: 1 | 4, xComponents: 1 | 4, withBias: boolean, sides?: Sides): Program['inputs'] {
  const inputs: Program['inputs'] = [
    { name: 'x', components: xComponents },
    { name: 'weight', components: weightComponents },
    ...(sides ? sideInputs(sides) : []),
  ];
  return withBias ? [...inputs, { name: 'bias' }] : inputs;
}
