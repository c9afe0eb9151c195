import type { TensorInfo } from '@tensorflow/tfjs';

import type { Program } from '../webgpu-program.ts';
import { maskCode, type MaskTensors } from './mask-wgsl.ts';
import type { AttentionSizes } from './reference.ts';

/** Scores at or below this are hidden keys; finite, because WGSL does not promise what infinities do. */
const HIDDEN = '-1e30';

export const UNIFORMS: Program['uniforms'] = (['batch', 'rows', 'keys', 'heads', 'kvHeads', 'tiles', 'splits'] as const).map((name) => ({
  name,
  type: 'u32',
}));

export function uniformsOf(sizes: AttentionSizes, mask: MaskTensors, splits = 1): Record<string, number> {
  const { batch, rows, keys, heads, kvHeads } = sizes;
  return { batch, rows, keys, heads, kvHeads, splits, tiles: mask.rowTiles?.shape[1] ?? 0 };
}

/** Scalars in one step along a head. */
export function componentsOf(dim: number): 1 | 4 {
  return dim % 4 === 0 ? 4 : 1;
}

/** Inputs by name with the vector width of those that hold heads. */
export function inputList(dim: number, vectors: string[], scalars: string[]): Program['inputs'] {
  return [
    ...vectors.map((name) => ({ name, components: componentsOf(dim) })),
    ...scalars.map((name) => ({ name, components: 1 as const })),
  ];
}

/** What all attention programs share: the head's vector type, addresses of rows and keys, the mask. */
export function common(dim: number, mask: MaskTensors): string {
  const vector = componentsOf(dim) === 4;
  return /* wgsl */ `
    alias V = ${vector ? 'vec4<f32>' : 'f32'};
    const UNITS : u32 = ${dim / componentsOf(dim)}u;
    const SCALE : f32 = ${1 / Math.sqrt(dim)};
    const HIDDEN : f32 = ${HIDDEN};
    fn inner(a : V, b : V) -> f32 {
      return ${vector ? 'dot(a, b)' : 'a * b'};
    }
    /** Place of row t of entry b and head h among rows · heads. */
    fn rowHead(b : u32, t : u32, h : u32) -> u32 {
      return (b * uniforms.rows + t) * uniforms.heads + h;
    }
    fn keyHead(b : u32, s : u32, g : u32) -> u32 {
      return (b * uniforms.keys + s) * uniforms.kvHeads + g;
    }
    /**
     * The same with rows and keys past the end as the last one, so that the threads of a ragged tile read something.
     */
    fn rowHeadInside(b : u32, t : u32, h : u32) -> u32 {
      return rowHead(min(b, uniforms.batch - 1u), min(t, uniforms.rows - 1u), h);
    }
    fn keyHeadInside(b : u32, s : u32, g : u32) -> u32 {
      return keyHead(min(b, uniforms.batch - 1u), min(s, uniforms.keys - 1u), g);
    }
    ${maskCode(mask)}
  `;
}

export type Named = { name: string; tensor: TensorInfo };
