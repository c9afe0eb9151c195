import type { TensorInfo } from '@tensorflow/tfjs';

import { type Program, runProgram, workgroupReduction } from '../webgpu-program.ts';

/** One workgroup a row: maximum, then sum of exponentials, `peak` and `sum` in every thread. */
const ROW_SOFTMAX = /* wgsl */ `
      let row = groupIndex();
      let inside = row < uniforms.rows;
      let base = row * uniforms.vocab;
      var highest = -3.4e38;
      if (inside) {
        for (var v = localIndex; v < uniforms.vocab; v += THREADS) {
          highest = max(highest, logits[base + v]);
        }
      }
      let peak = reduceMax(highest);
      var part = 0.0;
      if (inside) {
        for (var v = localIndex; v < uniforms.vocab; v += THREADS) {
          part += exp(logits[base + v] - peak);
        }
      }
      let sum = reduceSum(part);
`;

const uniforms: Program['uniforms'] = [
  { name: 'rows', type: 'u32' },
  { name: 'vocab', type: 'u32' },
];

const forward: Program = {
  name: 'cross-entropy',
  inputs: [{ name: 'logits' }, { name: 'labels' }],
  uniforms,
  threads: 256,
  code: /* wgsl */ `
    ${workgroupReduction('Max', 16)}
    ${workgroupReduction('Sum', 16)}
    fn main() {
      ${ROW_SOFTMAX}
      if (inside && localIndex == 0u) {
        let label = labels[row];
        var loss = 0.0;
        if (label >= 0) {
          loss = log(sum) + peak - logits[base + u32(label)];
        }
        result[row] = loss;
      }
    }
  `,
};

const gradient: Program = {
  name: 'cross-entropy-gradient',
  inputs: [{ name: 'logits' }, { name: 'labels' }, { name: 'dy' }],
  uniforms,
  threads: 256,
  code: /* wgsl */ `
    ${workgroupReduction('Max', 16)}
    ${workgroupReduction('Sum', 16)}
    fn main() {
      ${ROW_SOFTMAX}
      if (inside) {
        let label = labels[row];
        let scale = select(0.0, dy[row], label >= 0);
        for (var v = localIndex; v < uniforms.vocab; v += THREADS) {
          let onehot = select(0.0, 1.0, i32(v) == label);
          result[base + v] = (exp(logits[base + v] - peak) / sum - onehot) * scale;
        }
      }
    }
  `,
};

export function rowLossesProgram(logits: TensorInfo, labels: TensorInfo): TensorInfo {
  const [rows = 0, vocab = 0] = logits.shape;
  return runProgram(forward, {
    inputs: [logits, labels],
    uniforms: { rows, vocab },
    outputShape: [rows],
    groups: rows,
  });
}

export function rowLossesGradientProgram(logits: TensorInfo, labels: TensorInfo, dy: TensorInfo): TensorInfo {
  const [rows = 0, vocab = 0] = logits.shape;
  return runProgram(gradient, {
    inputs: [logits, labels, dy],
    uniforms: { rows, vocab },
    outputShape: logits.shape,
    groups: rows,
  });
}
