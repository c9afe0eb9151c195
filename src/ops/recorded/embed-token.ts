import type { EmbeddingTable, PlainTable } from '../types.ts';
import { sidesAt } from '../linear/layouts.ts';
import { bufferOf, type Binding, type Command } from './command-list.ts';
import { sideBindings, sidesIn } from './weight-wgsl.ts';

/**
 * The row of the token that was picked last becomes the residual stream.
 *
 * @param picked u32 [1], its id
 * @param result f32 [width]
 */
export function embedTokenCommand(table: EmbeddingTable, picked: GPUBuffer, result: GPUBuffer): Command {
  const { width } = table;
  const parts = table.kind === 'parts' ? table.parts : [table];
  const bindings: Binding[] = [
    { name: 'picked', type: 'u32', buffer: picked, access: 'read' },
    ...parts.flatMap(tableBindings),
    { name: 'result', type: 'f32', buffer: result, access: 'read_write' },
  ];
  let first = 0;
  const reads = parts.map((part, n) => {
    const read = `if (token >= ${first}u) { let id = token - ${first}u; result[c] = ${valueAt(part, n)}; return; }`;
    first += part.vocab;
    return read;
  });
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
        let token = min(picked[0], ${table.vocab - 1}u);
        ${reads.reverse().join('\n')}
      }
    `,
  };
}

function tableBindings(table: PlainTable, n: number): Binding[] {
  const bindings: Binding[] = [
    { name: `table${n}`, type: table.kind === 'f32' ? 'f32' : 'u32', buffer: bufferOf(table.data), access: 'read' },
  ];
  if (table.kind === 'affine') {
    bindings.push(...sideBindings(table, String(n)));
  }
  return bindings;
}

/** WGSL expression, in `id` and `c`. */
function valueAt(table: PlainTable, n: number): string {
  const { width } = table;
  switch (table.kind) {
    case 'f32':
      return `table${n}[id * ${width}u + c]`;
    case 'f16':
      return `unpack2x16float(table${n}[id * ${Math.ceil(width / 2)}u + c / 2u])[c % 2u]`;
    case 'affine': {
      const { bits, groupSize } = table;
      const at = `(id * ${width}u + c)`;
      const q = `((table${n}[${at} / ${32 / bits}u] >> (${at} % ${32 / bits}u * ${bits}u)) & ${2 ** bits - 1}u)`;
      return `dot(vec2<f32>(f32(${q}), 1.0), ${sidesAt(`${at} / ${groupSize}u`, sidesIn(table), String(n))})`;
    }
  }
}
