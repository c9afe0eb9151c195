import { INT8, MICROSOFT, UINT8, floats, tensorOf, type OnnxGraph } from './onnx.ts';

/**
 * `f32`: floats. `int8`: activations quantised as they come and 8-bit weights with a scale a column (DynamicQuantizeMatMul, what
 * onnxruntime's dynamic quantisation ends in). `nbits8`, `nbits4`: weights of 8 or 4 bits in groups of 64, activations in 8 bits
 * (MatMulNBits at accuracy level 4).
 */
export type OnnxKind = 'f32' | 'int8' | 'nbits8' | 'nbits4';

/** As published, out features first. */
export interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

export const GROUP = 64;

/** x · Wᵀ (+ bias) */
export function product(graph: OnnxGraph, x: string, { rows, columns, values }: Matrix, kind: OnnxKind, bias?: Float32Array): string {
  if (kind === 'f32') {
    const y = graph.one('MatMul', [x, graph.weight(floats(turned(values, rows, columns), [columns, rows]))]);
    return bias ? graph.one('Add', [y, graph.weight(floats(bias))]) : y;
  }
  if (kind === 'int8') {
    const { bytes, scales } = wholeRows({ rows, columns, values });
    const weights = graph.weight(tensorOf(INT8, turned(bytes, rows, columns), [columns, rows]));
    return graph.one(
      'DynamicQuantizeMatMul',
      [x, weights, graph.weight(floats(scales)), '', bias ? graph.weight(floats(bias)) : ''],
      {},
      MICROSOFT,
    );
  }
  const bits = kind === 'nbits8' ? 8 : 4;
  const { packed, scales, zeros } = groups({ rows, columns, values }, bits);
  const blocks = columns / GROUP;
  const weights = graph.weight(tensorOf(UINT8, packed, [rows, blocks, (GROUP * bits) / 8]));
  const attributes = { K: columns, N: rows, bits, block_size: GROUP, accuracy_level: 4 };
  const y = graph.one(
    'MatMulNBits',
    [x, weights, graph.weight(floats(scales)), graph.weight(tensorOf(UINT8, zeros, [zeros.length]))],
    attributes,
    MICROSOFT,
  );
  return bias ? graph.one('Add', [y, graph.weight(floats(bias))]) : y;
}

/** Symmetric 8-bit rows with a scale each. */
export function wholeRows({ rows, columns, values }: Matrix): { bytes: Int8Array; scales: Float32Array } {
  const bytes = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * columns, (row + 1) * columns];
    let largest = 0;
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = (scales[row] = largest / 127 || 1);
    for (let i = from; i < to; i++) bytes[i] = Math.round(values[i]! / scale);
  }
  return { bytes, scales };
}

/** Groups of {@link GROUP} columns with a scale and a zero point each; two nibbles a byte, the low one first. */
function groups({ rows, columns, values }: Matrix, bits: number): { packed: Uint8Array; scales: Float32Array; zeros: Uint8Array } {
  const count = (rows * columns) / GROUP;
  const perByte = 8 / bits;
  const packed = new Uint8Array(values.length / perByte);
  const scales = new Float32Array(count);
  const perRow = columns / GROUP;
  const zerosPerRow = Math.ceil(perRow / perByte);
  const zeros = new Uint8Array(rows * zerosPerRow);
  const most = 2 ** bits - 1;
  for (let group = 0; group < count; group++) {
    let [low, high] = [0, 0];
    for (let i = group * GROUP; i < (group + 1) * GROUP; i++) {
      low = Math.min(low, values[i]!);
      high = Math.max(high, values[i]!);
    }
    const scale = (scales[group] = (high - low) / most || 1);
    const zero = Math.round(-low / scale);
    const column = group % perRow;
    zeros[Math.floor(group / perRow) * zerosPerRow + Math.floor(column / perByte)]! |= zero << ((column % perByte) * bits);
    for (let i = group * GROUP; i < (group + 1) * GROUP; i++) {
      const q = Math.max(0, Math.min(most, Math.round(values[i]! / scale) + zero));
      packed[Math.floor(i / perByte)]! |= q << ((i % perByte) * bits);
    }
  }
  return { packed, scales, zeros };
}

/** [rows, columns] → [columns, rows] */
function turned<T extends Float32Array | Int8Array>(values: T, rows: number, columns: number): T {
  const out = new (values.constructor as new (length: number) => T)(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column]!;
  return out;
}
