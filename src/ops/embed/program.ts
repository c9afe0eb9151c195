import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';

import type { AffineBits } from '../affine.ts';
import { type Program, runProgram } from '../webgpu-program.ts';

type Kind = 'f32' | 'f16' | `affine${AffineBits}`;

const readAffine = (bits: AffineBits) => /* wgsl */ `
        let at = id * uniforms.width + c;
        let q = (bitcast<u32>(table[at / ${32 / bits}u]) >> (at % ${32 / bits}u * ${bits}u)) & ${2 ** bits - 1}u;
        let group = at / uniforms.groupSize;
        return f32(q) * scales[group] + biases[group];`;

const READ = {
  f32: 'return table[id * uniforms.width + c];',
  f16: 'return unpack2x16float(bitcast<u32>(table[id * ((uniforms.width + 1u) / 2u) + c / 2u]))[c % 2u];',
  affine4: readAffine(4),
  affine8: readAffine(8),
};

/** One thread an element. */
function makeProgram(kind: Kind, withVisual: boolean): Program {
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
      ...(affine ? [{ name: 'scales' }, { name: 'biases' }] : []),
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
        ${READ[kind]}
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

const programs = {
  f32: { text: makeProgram('f32', false), merged: makeProgram('f32', true) },
  f16: { text: makeProgram('f16', false), merged: makeProgram('f16', true) },
  affine4: { text: makeProgram('affine4', false), merged: makeProgram('affine4', true) },
  affine8: { text: makeProgram('affine8', false), merged: makeProgram('affine8', true) },
};

interface EmbedInputs {
  ids: TensorInfo;
  table: TensorInfo;
  visual?: TensorInfo;
  slots?: TensorInfo;
}

/** @param groups of a quantised table: scales, biases and how many columns share one */
export function embedProgram(
  kind: Kind,
  width: number,
  { ids, table, visual, slots }: EmbedInputs,
  groups?: { scales: TensorInfo; biases: TensorInfo; groupSize: number },
): TensorInfo {
  const rows = ids.shape[0]!;
  const merged = visual && slots;
  const program = merged ? programs[kind].merged : programs[kind].text;
  return runProgram(program, {
    inputs: [ids, table, ...(groups ? [groups.scales, groups.biases] : []), ...(merged ? [visual, slots] : [])],
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
