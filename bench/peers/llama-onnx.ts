/**
 * A Llama-type checkpoint as onnxruntime's own tools would export it: the fused ops that its CPU provider is fastest with
 * (GroupQueryAttention with rotation inside, skip norms), one product for q, k and v, logits of the last row alone, and a KV cache of
 * past and present.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toF32 } from '../../src/weights/dtype.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { GROUP, product, wholeRows, type Matrix, type OnnxKind } from './onnx-products.ts';
import { FLOAT, INT32, INT64, INT8, MICROSOFT, OnnxGraph, floats, integers, tensorOf } from './onnx.ts';

export interface LlamaShape {
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabulary: number;
}

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
  let normed = graph.one('SimplifiedLayerNormalization', [stream, vector('model.layers.0.input_layernorm.weight')], {
    ...epsilon,
    axis: -1,
  });
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}.weight`;
    const qkv = product(graph, normed, matrix(name('self_attn.q_proj'), name('self_attn.k_proj'), name('self_attn.v_proj')), kind);
    const past = ['key', 'value'].map((side) => graph.input(`past.${layer}.${side}`, FLOAT, [1, kvHeads, 'held', headDim]));
    const present = ['key', 'value'].map((side) => `present.${layer}.${side}`);
    for (const side of present) graph.output(side, FLOAT, [1, kvHeads, 'total', headDim]);
    const attributes = {
      num_heads: heads,
      kv_num_heads: kvHeads,
      do_rotary: 1,
      rotary_interleaved: 0,
      scale: { float: 1 / Math.sqrt(headDim) },
    };
    const attended = `attended.${layer}`;
    graph.node('GroupQueryAttention', [qkv, '', '', ...past, held, total, cos, sin], attributes, [attended, ...present], MICROSOFT);
    const added = product(graph, attended, matrix(name('self_attn.o_proj')), kind);
    const skip = (from: string, norm: string) => {
      const [out, , , sum] = graph.node(
        'SkipSimplifiedLayerNormalization',
        [stream, from, vector(norm)],
        epsilon,
        [`s${from}`, '', '', `t${from}`],
        MICROSOFT,
      );
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
