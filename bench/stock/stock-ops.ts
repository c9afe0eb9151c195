import * as tf from '@tensorflow/tfjs';
import { geluReference } from '../../src/ops/gelu/reference.ts';
import { layerNormReference } from '../../src/ops/layer-norm/reference.ts';
import { rmsNormReference } from '../../src/ops/rms-norm/reference.ts';
import { ropeReference } from '../../src/ops/rope/reference.ts';
import { swigluReference } from '../../src/ops/swiglu/reference.ts';

type Heads = { heads: number; kvHeads: number };
type Qkv = { q: tf.Tensor2D; k: tf.Tensor3D; v: tf.Tensor3D };
type Composition = (inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => tf.Tensor;

/** Inputs and attributes come from the op's own function, which has checked them. */
function composed<I, A = object>(f: (inputs: I, attrs: A) => tf.Tensor): Composition {
  return f as unknown as Composition;
}

/** What a tfjs user would write in each op's place; differentiated by tfjs itself. */
const STOCK: Record<string, Composition> = {
  NvlmLinear: composed<{ x: tf.Tensor2D; weight: tf.Tensor2D; bias?: tf.Tensor1D }>(({ x, weight, bias }) =>
    bias ? tf.add(tf.matMul(x, weight), bias) : tf.matMul(x, weight),
  ),
  NvlmRmsNorm: composed<{ x: tf.Tensor2D; weight: tf.Tensor1D }, { eps: number }>(({ x, weight }, { eps }) =>
    rmsNormReference(x, weight, eps),
  ),
  NvlmLayerNorm: composed<{ x: tf.Tensor2D; weight: tf.Tensor1D; bias: tf.Tensor1D }, { eps: number }>(({ x, weight, bias }, { eps }) =>
    layerNormReference(x, weight, bias, eps),
  ),
  NvlmRope: composed<{ x: tf.Tensor2D; positions: tf.Tensor1D; inverseFrequencies: tf.Tensor1D }, Heads>(
    ({ x, positions, inverseFrequencies }, { heads }) => ropeReference(x, positions, inverseFrequencies, heads, 1),
  ),
  NvlmSwiglu: composed<{ gate: tf.Tensor2D; up: tf.Tensor2D }>(({ gate, up }) => swigluReference(gate, up)),
  NvlmGelu: composed<{ x: tf.Tensor2D }>(({ x }) => geluReference(x)),
  NvlmAttention: composed<Qkv, Heads & { causal: boolean }>(({ q, k, v }, attrs) =>
    attend({ q, k, v }, attrs, attrs.causal ? causal(q, k) : null),
  ),
  NvlmCrossAttention: composed<Qkv & { rowTiles: tf.Tensor2D; keyTiles: tf.Tensor2D }, Heads>(({ rowTiles, keyTiles, ...qkv }, attrs) =>
    attend(qkv, attrs, tileMask(rowTiles, keyTiles)),
  ),
  NvlmCrossEntropy: composed<{ logits: tf.Tensor2D; labels: tf.Tensor1D }>(({ logits, labels }) => {
    const chosen = tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32');
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), chosen), 1));
  }),
  NvlmEmbed: composed<{ ids: tf.Tensor1D; table: tf.Tensor2D; visual?: tf.Tensor2D; slots?: tf.Tensor1D }>(
    ({ ids, table, visual, slots }) => {
      if (!visual || !slots) return rowsOf(table, ids);
      const zero = tf.scalar(0, 'int32');
      const text = tf.cast(tf.expandDims(tf.less(slots, zero), 1), 'float32');
      const merged = rowsOf(visual, tf.maximum(slots, zero));
      return tf.add(tf.mul(rowsOf(table, ids), text), tf.mul(merged, tf.sub(1, text)));
    },
  ),
};

/**
 * Rows of a table. tf.gather where its gradient has a kernel, which it has not on wasm; there the product with one-hot
 * rows, the usual way round.
 */
function rowsOf(table: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  if (tf.getKernel('UnsortedSegmentSum', tf.getBackend())) return tf.gather(table, ids);
  return tf.matMul(tf.cast(tf.oneHot(ids, table.shape[0]), 'float32') as tf.Tensor2D, table);
}

/** softmax(q · kᵀ / √D + mask) · v, batched over entries and heads. */
function attend({ q, k, v }: Qkv, { heads, kvHeads }: Heads, visible: tf.Tensor | null): tf.Tensor {
  const [batch, keys, kvWidth] = k.shape;
  const dim = kvWidth / kvHeads;
  const rows = q.shape[0] / batch;
  const split = (x: tf.Tensor, length: number, count: number) => {
    const perHead = tf.transpose(tf.reshape(x, [batch, length, count, dim]), [0, 2, 1, 3]);
    if (count === heads) return perHead;
    const repeated = tf.tile(tf.expandDims(perHead, 2), [1, 1, heads / count, 1, 1]);
    return tf.reshape(repeated, [batch, heads, length, dim]);
  };
  const products = tf.matMul(split(q, rows, heads), split(k, keys, kvHeads), false, true);
  let scores = tf.div(products, Math.sqrt(dim));
  if (visible) scores = tf.add(scores, tf.mul(tf.sub(visible, 1), 1e9));
  let weights = tf.softmax(scores);
  // A row may see no tile at all.
  if (visible && visible.rank === 4) weights = tf.mul(weights, visible);
  const attended = tf.matMul(weights, split(v, keys, kvHeads));
  return tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [batch * rows, heads * dim]);
}

/** [T, S], whole sequences. */
function causal(q: tf.Tensor2D, k: tf.Tensor3D): tf.Tensor {
  const rows = q.shape[0] / k.shape[0];
  return tf.linalg.bandPart(tf.ones([rows, k.shape[1]]), -1, 0);
}

/** [B, 1, T, S] */
function tileMask(rowTiles: tf.Tensor2D, keyTiles: tf.Tensor2D): tf.Tensor {
  const [batch, keys] = keyTiles.shape;
  const [rows, tiles] = rowTiles.shape;
  const sees = tf.reshape(tf.cast(rowTiles, 'float32'), [batch, rows / batch, tiles]);
  const tileOfKey = tf.reshape(tf.cast(tf.oneHot(tf.reshape(keyTiles, [-1]), tiles), 'float32'), [batch, keys, tiles]);
  return tf.expandDims(tf.matMul(sees, tileOfKey, false, true), 1);
}

type RunKernel = (name: string, inputs: tf.NamedTensorMap, attrs?: tf.NamedAttrMap) => tf.Tensor | tf.Tensor[];

/** While `f` runs, each of our ops is what a tfjs user would have composed. */
export function withStockOps<T>(f: () => T): T {
  const engine = tf.engine() as unknown as { runKernel: RunKernel };
  const before = engine.runKernel;
  engine.runKernel = (name, inputs, attrs) => {
    const [op = name] = name.split('+');
    const stock = STOCK[op];
    if (stock) return tf.tidy(() => stock(inputs, attrs ?? {}));
    if (op.startsWith('Nvlm')) throw new Error(`${op} has no composition of stock ops here.`);
    return before.call(engine, name, inputs, attrs);
  };
  try {
    return f();
  } finally {
    engine.runKernel = before;
  }
}
