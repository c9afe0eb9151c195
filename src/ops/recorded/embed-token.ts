import type { EmbeddingTable } from '../types.ts';
import { bufferOf, type Binding, type Command } from './command-list.ts';

/**
 * The row of the token that was picked last becomes the residual stream.
 *
 * @param picked u32 [1], its id
 * @param result f32 [width]
 */
export function embedTokenCommand(table: EmbeddingTable, picked: GPUBuffer, result: GPUBuffer): Command {
  const { width } = table;
  const bindings: Binding[] = [
    { name: 'picked', type: 'u32', buffer: picked, access: 'read' },
    { name: 'table', type: table.kind === 'f32' ? 'f32' : 'u32', buffer: bufferOf(table.data), access: 'read' },
  ];
  if (table.kind === 'affine') {
    bindings.push({ name: 'scales', type: 'f32', buffer: bufferOf(table.scales), access: 'read' });
    bindings.push({ name: 'biases', type: 'f32', buffer: bufferOf(table.biases), access: 'read' });
  }
  bindings.push({ name: 'result', type: 'f32', buffer: result, access: 'read_write' });
  return {
    label: 'decode-embed',
    threads: 64,
    groups: Math.ceil(width / 64),
    bindings,
    code: /* wgsl */ `
      fn main(group : u32, thread : u32) {
        let c = group * THREADS + thread;
        if (c >= ${width}u) {
          return;
        }
        // A step that was queued behind one that failed reads some row; its result is thrown away.
        let id = min(picked[0], ${table.vocab - 1}u);
        result[c] = ${valueAt(table)};
      }
    `,
  };
}

function valueAt(table: EmbeddingTable): string {
  const { width } = table;
  switch (table.kind) {
    case 'f32':
      return `table[id * ${width}u + c]`;
    case 'f16':
      return `unpack2x16float(table[id * ${Math.ceil(width / 2)}u + c / 2u])[c % 2u]`;
    case 'affine': {
      const { bits, groupSize } = table;
      const at = `(id * ${width}u + c)`;
      const q = `((table[${at} / ${32 / bits}u] >> (${at} % ${32 / bits}u * ${bits}u)) & ${2 ** bits - 1}u)`;
      return `f32(${q}) * scales[${at} / ${groupSize}u] + biases[${at} / ${groupSize}u]`;
    }
  }
}
