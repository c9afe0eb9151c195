/**
 * A Llama-type checkpoint as onnxruntime's own tools would export it: the fused ops that its CPU provider is fastest with
 * (GroupQueryAttention with rotation inside, skip norms), one product for q, k and v, logits of the last row alone, and a KV cache of
 * past and present.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toF32 } from '../../src/weights/dtype.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { FLOAT, INT32, INT64, INT8, MICROSOFT, OnnxGraph, UINT8, floats, integers, tensorOf } from './onnx.ts';

/**
 * `f32`: floats. `int8`: activations quantised as they come and 8-bit weights with a scale a column (DynamicQuantizeMatMul, what
 * onnxruntime's dynamic quantisation ends in). `nbits8`, `nbits4`: weights of 8 or 4 bits in groups of 64, activations in 8 bits
 * (MatMulNBits at accuracy level 4).
 */
export type OnnxKind = 'f32' | 'int8' | 'nbits8' | 'nbits4';

export interface LlamaShape {
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabulary: number;
}

/** Matrices [rows, columns] as published, out features first. */
interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

const GROUP = 64;

/** @param positions how many the rotary tables hold */
export async function llamaOnnx(folder: string, kind: OnnxKind, positions = 4096): Promise<{ model: Uint8Array; shape: LlamaShape }> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, number>;
  const tensors = parseSafetensors(await readFile(join(folder, 'model.safetensors')), 'model.safetensors');
  const width = config['hidden_size']!;
  const heads = config['num_attention_heads']!;
  const kvHeads = config['num_key_value_heads']!;
  const headDim = width / heads;
  const vocabulary = config['vocab_size']!;
  const layers = config['num_hidden_layers']!;
  const inner = config['intermediate_size']!;
  const epsilon = { epsilon: { float: config['rms_norm_eps']! } };
  const graph = new OnnxGraph();
  const vector = (name: string) => graph.weight(floats(valuesOf(tensors.get(name)!)));
  const matrix = (...names: string[]): Matrix => {
    const parts = names.map((name) => tensors.get(name)!);
    const columns = parts[0]!.shape[1]!;
    const values = new Float32Array(parts.reduce((sum, { shape }) => sum + shape[0]! * columns, 0));
    let at = 0;
    for (const part of parts) {
      values.set(valuesOf(part), at);
      at += part.shape[0]! * columns;
    }
    return { rows: values.length / columns, columns, values };
  };

  const ids = graph.input('input_ids', INT64, [1, 'rows']);
  const held = graph.input('seqlens_k', INT32, [1]);
  const total = graph.input('total_sequence_length', INT32, []);
  const [cos, sin] = [Math.cos, Math.sin].map((wave) => {
    const table = new Float32Array((positions * headDim) / 2);
    for (let i = 0; i < table.length; i++) {
      const [position, pair] = [Math.floor(i / (headDim / 2)), i % (headDim / 2)];
      table[i] = wave(position * config['rope_theta']! ** ((-2 * pair) / headDim));
    }
    return graph.weight(floats(table, [positions, headDim / 2]));
  }) as [string, string];

  const table = matrix('model.embed_tokens.weight');
  const { embedded, head } = embedding(graph, table, ids, kind);
  let stream = embedded;
  let normed = graph.one('SimplifiedLayerNormalization', [stream, vector('model.layers.0.input_layernorm.weight')], { ...epsilon, axis: -1 });
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}.weight`;
    const qkv = product(graph, normed, matrix(name('self_attn.q_proj'), name('self_attn.k_proj'), name('self_attn.v_proj')), kind);
    const past = ['key', 'value'].map((side) => graph.input(`past.${layer}.${side}`, FLOAT, [1, kvHeads, 'held', headDim]));
    const present = ['key', 'value'].map((side) => `present.${layer}.${side}`);
    for (const side of present) graph.output(side, FLOAT, [1, kvHeads, 'total', headDim]);
    const attributes = { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0, scale: { float: 1 / Math.sqrt(headDim) } };
    const attended = `attended.${layer}`;
    graph.node('GroupQueryAttention', [qkv, '', '', ...past, held, total, cos, sin], attributes, [attended, ...present], MICROSOFT);
    const added = product(graph, attended, matrix(name('self_attn.o_proj')), kind);
    const skip = (from: string, norm: string) => {
      const [out, , , sum] = graph.node('SkipSimplifiedLayerNormalization', [stream, from, vector(norm)], epsilon, [`s${from}`, '', '', `t${from}`], MICROSOFT);
      stream = sum!;
      return out!;
    };
    const middle = skip(added, name('post_attention_layernorm'));
    const gate = product(graph, middle, matrix(name('mlp.gate_proj')), kind);
    const up = product(graph, middle, matrix(name('mlp.up_proj')), kind);
    const swish = graph.one('QuickGelu', [gate], { alpha: { float: 1 } }, MICROSOFT);
    const down = product(graph, graph.one('Mul', [swish, up]), matrix(name('mlp.down_proj')), kind);
    normed = skip(down, layer + 1 < layers ? `model.layers.${layer + 1}.input_layernorm.weight` : 'model.norm.weight');
  }
  const last = graph.one('Gather', [normed, graph.weight(integers([-1]))], { axis: 1 });
  graph.node('Reshape', [head(last), graph.weight(integers([1, vocabulary]))], {}, ['logits']);
  graph.output('logits', FLOAT, [1, vocabulary]);
  if (inner % GROUP || width % GROUP) throw new Error(`Widths ${width} and ${inner} do not divide into groups of ${GROUP}.`);
  return { model: graph.model(), shape: { layers, heads, kvHeads, headDim, vocabulary } };
}

const valuesOf = ({ dtype, bytes }: LoadedTensor) => toF32(dtype, bytes)!;

/** x · Wᵀ */
function product(graph: OnnxGraph, x: string, { rows, columns, values }: Matrix, kind: OnnxKind): string {
  if (kind === 'f32') return graph.one('MatMul', [x, graph.weight(floats(turned(values, rows, columns), [columns, rows]))]);
  if (kind === 'int8') {
    const { bytes, scales } = wholeRows({ rows, columns, values });
    const weights = graph.weight(tensorOf(INT8, turned(bytes, rows, columns), [columns, rows]));
    return graph.one('DynamicQuantizeMatMul', [x, weights, graph.weight(floats(scales))], {}, MICROSOFT);
  }
  const bits = kind === 'nbits8' ? 8 : 4;
  const { packed, scales, zeros } = groups({ rows, columns, values }, bits);
  const blocks = columns / GROUP;
  const weights = graph.weight(tensorOf(UINT8, packed, [rows, blocks, (GROUP * bits) / 8]));
  const attributes = { K: columns, N: rows, bits, block_size: GROUP, accuracy_level: 4 };
  return graph.one('MatMulNBits', [x, weights, graph.weight(floats(scales)), graph.weight(tensorOf(UINT8, zeros, [zeros.length]))], attributes, MICROSOFT);
}

/** Rows of the table for ids, and the product with the same table that ends the model. */
function embedding(graph: OnnxGraph, table: Matrix, ids: string, kind: OnnxKind): { embedded: string; head: (x: string) => string } {
  const { rows, columns, values } = table;
  if (kind === 'f32') {
    const weights = graph.weight(floats(values, [rows, columns]));
    const flat = (x: string) => graph.one('Reshape', [x, graph.weight(integers([-1, columns]))]);
    return { embedded: graph.one('Gather', [weights, ids]), head: (x) => graph.one('Gemm', [flat(x), weights], { transB: 1 }) };
  }
  // A row's scale, as in dynamic quantisation a tensor's.
  const { bytes, scales } = wholeRows(table);
  const whole = graph.one('Cast', [graph.one('Gather', [graph.weight(tensorOf(INT8, bytes, [rows, columns])), ids])], { to: FLOAT });
  const scale = graph.one('Gather', [graph.weight(floats(scales, [rows, 1])), ids]);
  return { embedded: graph.one('Mul', [whole, scale]), head: (x) => product(graph, x, table, kind) };
}

/** Symmetric 8-bit rows with a scale each. */
function wholeRows({ rows, columns, values }: Matrix): { bytes: Int8Array; scales: Float32Array } {
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
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column]!;
  return out;
}
