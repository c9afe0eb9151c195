import type { TensorInfo } from '@tensorflow/tfjs';

import { forgetHostCopy, type Program, runProgram } from '../webgpu-program.ts';

const program: Program = {
  name: 'cache-write',
  inputs: [{ name: 'rows' }, { name: 'starts' }],
  uniforms: [
    { name: 'batch', type: 'u32' },
    { name: 'count', type: 'u32' },
    { name: 'capacity', type: 'u32' },
    { name: 'width', type: 'u32' },
  ],
  threads: 64,
  code: /* wgsl */ `
    fn main() {
      let i = groupIndex() * THREADS + localIndex;
      let entry = uniforms.count * uniforms.width;
      if (i >= uniforms.batch * entry) {
        return;
      }
      let b = i / entry;
      let row = u32(starts[b]) + (i % entry) / uniforms.width;
      if (row < uniforms.capacity) {
        result[(b * uniforms.capacity + row) * uniforms.width + i % uniforms.width] = rows[i];
      }
    }
  `,
};

/** Writes into `cache` itself. */
export function cacheWriteProgram(cache: TensorInfo, rows: TensorInfo, starts: TensorInfo): void {
  const [batch = 0, count = 0, width = 0] = rows.shape;
  const capacity = cache.shape[1]!;
  runProgram(program, {
    inputs: [rows, starts],
    uniforms: { batch, count, capacity, width },
    outputShape: cache.shape,
    groups: Math.ceil((batch * count * width) / program.threads),
    output: cache,
  });
  forgetHostCopy(cache);
}
