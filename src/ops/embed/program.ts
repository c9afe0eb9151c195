import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';

import type { AffineBits } from '../affine.ts';
import { sideInputs, sidesAt, type Sides } from '../linear/layouts.ts';
import { type Program, runProgram } from '../webgpu-program.ts';

type Kind = 'f32' | 'f16' | `affine${AffineBits}`;

const readAffine = (bits: AffineBits, sides: Sides) => /* wgsl */ `
        let at = id * uniforms.width + c;
        let q = (bitcast<u32>(table[at / ${32 / bits}u]) >> (at % ${32 / bits}u * ${bits}u)) & ${2 ** bits - 1}u;
        let group = at / uniforms.groupSize;
        let sides = ${sidesAt('group', sides)};
        return f32(q) * sides.x + sides.y;`;

const read = (kind: Kind, sides: Sides) =>
  ({
    f32: 'return table[id * uniforms.width + c];',
    f16: 'return unpack2x16float(bitcast<u32>(table[id * ((uniforms.width + 1u) / 2u) + c / 2u]))[c % 2u];',
    affine4: readAffine(4, sides),
    affine8: readAffine(8, sides),
  })[kind];

/** One thread an element. */
function makeProgram(kind: Kind, withVisual: boolean, sides: Sides = 'apart'): Program {
  const affine = kind === 'affine4' || kind === 'affine8';
  const visual = /* wgsl */ `
      let slot = slots[row];
      if (slot >= 0) {
        result[i] = visual[u32(slot) * uniforms.width + c];
        return;
      }
  `;
  return {
    name: `embed-${kind}`,
    inputs: [
      { name: 'ids' },
      { name: 'table' },
      ...(affine ? sideInputs(sides) : []),
      ...(withVisual ? [{ name: 'visual' }, { name: 'slots' }] : []),
    ],
    uniforms: [
      { name: 'rows', type: 'u32' },
      { name: 'width', type: 'u32' },
      ...(affine ? [{ name: 'groupSize', type: 'u32' } as const] : []),
    ],
    threads: 64,
    code: /* wgsl */ `
      fn readTable(id : u32, c : u32) -> f32 {
        ${read(kind, sides)}
      }
      fn main() {
        let i = groupIndex() * THREADS + localIndex;
        if (i >= uniforms.rows * uniforms.width) {
          return;
        }
        let row = i / uniforms.width;
        let c = i % uniforms.width;
        ${withVisual ? visual : ''}
        result[i] = readTable(u32(ids[row]), c);
      }
    `,
  };
}

const bothOf = (kind: Kind, sides?: Sides) => ({ text: makeProgram(kind, false, sides), merged: makeProgram(kind, true, sides) });

const programs = {
  f32: bothOf('f32'),
  f16: bothOf('f16'),
  affine4: bothOf('affine4'),
  affine8: bothOf('affine8'),
  'affine4 paired': bothOf('affine4', 'paired'),
  'affine8 paired': bothOf('affine8', 'paired'),
};

interface EmbedInputs {
  ids: TensorInfo;
  table: TensorInfo;
  visual?: TensorInfo;
  slots?: TensorInfo;
}

/** @param groups of a quantised table: scales and biases, or pairs, and how many columns share one */
export function embedProgram(
  kind: Kind,
  width: number,
  { ids, table, visual, slots }: EmbedInputs,
  groups?: { sides: { scales: TensorInfo; biases: TensorInfo } | { pairs: TensorInfo }; groupSize: number },
): TensorInfo {
  const rows = ids.shape[0]!;
  const merged = visual && slots;
  const variant = groups && 'pairs' in groups.sides ? (`${kind as `affine${AffineBits}`} paired` as const) : kind;
  const program = programs[variant][merged ? 'merged' : 'text'];
  return runProgram(program, {
    inputs: [ids, table, ...(groups ? Object.values<TensorInfo>(groups.sides) : []), ...(merged ? [visual, slots] : [])],
    uniforms: { rows, width, ...(groups && { groupSize: groups.groupSize }) },
    outputShape: [rows, width],
    groups: Math.ceil((rows * width) / program.threads),
  });
}

/**
 * One workgroup a row of dy. The first row with a target adds up all rows with that target, in order; the others do
 * nothing. No atomics, which WGSL lacks for floats, and the same sum every time.
 */
const scatterAdd: Program = {
  name: 'scatter-add',
  inputs: [{ name: 'dy' }, { name: 'targets' }],
  uniforms: [
    { name: 'rows', type: 'u32' },
    { name: 'width', type: 'u32' },
    { name: 'count', type: 'u32' },
  ],
  threads: 64,
  code: /* wgsl */ `
    var<workgroup> repeated : atomic<u32>;
    fn main() {
      let row = groupIndex();
      let inside = row < uniforms.rows;
      var place = -1;
      if (inside) {
        place = targets[row];
        for (var r = localIndex; r < row; r += THREADS) {
          if (targets[r] == place) {
            atomicStore(&repeated, 1u);
          }
        }
      }
      workgroupBarrier();
      if (place < 0 || place >= i32(uniforms.count) || atomicLoad(&repeated) == 1u) {
        return;
      }
      for (var c = localIndex; c < uniforms.width; c += THREADS) {
        var sum = 0.0;
        for (var r = row; r < uniforms.rows; r++) {
          if (targets[r] == place) {
            sum += dy[r * uniforms.width + c];
          }
        }
        result[u32(place) * uniforms.width + c] = sum;
      }
    }
  `,
};

export function scatterAddProgram(dy: TensorInfo, targets: TensorInfo, count: number): tf.Tensor {
  const [rows = 0, width = 0] = dy.shape;
  // fill runs on the GPU; zeros would upload the whole table.
  const total = tf.fill([count, width], 0);
  runProgram(scatterAdd, {
    inputs: [dy, targets],
    uniforms: { rows, width, count },
    outputShape: [count, width],
    groups: rows,
    output: total,
  });
  // The tensor itself: a second tensor on the same data would not count as an owner.
  return total;
}
