import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { attention } from '../ops/attention/attention.ts';
import { crossAttention, type CrossAttentionOptions } from '../ops/cross-attention/cross-attention.ts';
import { embed } from '../ops/embed/embed.ts';
import { applyGate } from '../ops/gate/gate.ts';
import { plus } from '../ops/plus.ts';
import { rmsNorm } from '../ops/rms-norm/rms-norm.ts';
import { rope } from '../ops/rope/rope.ts';
import { swiglu } from '../ops/swiglu/swiglu.ts';
import { hasCrossAttention, type NvlmConfig } from './config.ts';
import type { CrossKeysAndValues, KeysAndValues, KvCache } from './kv-cache.ts';
import { names } from './names.ts';
import type { DecoderProbe } from './probe.ts';
import { project, projectEach } from './project.ts';
import type { Weights } from './weights.ts';

/** Where the rows of a decoder call stand. R = batch · length rows, batch-major. */
export interface DecoderContext {
  batch: number;
  /** T, rows a batch element in this call. */
  length: number;
  /** [R] i32 */
  positions: Tensor1D;
  /** [B] i32, position of each batch element's first row. */
  starts: Tensor1D;
  /** [headDim / 2] f32 */
  inverseFrequencies: Tensor1D;
  cache: KvCache | null;
  cross: CrossKeysAndValues | null;
  /** [R, N] i32, 1 = this row sees that cross-attended tile; null without cross-attention. */
  rowTiles: Tensor2D | null;
  /** Rows in two parts, the second of which goes on from the first; then no cache, and `batch` and `length` count for nothing. */
  shared?: SharedRows;
  /** Runs a layer in another way, as activation checkpointing does. */
  runLayer?: LayerRunner;
  /** Looks at what is computed; see there. */
  probe?: DecoderProbe;
}

/**
 * Rows of P prefixes of one length, and behind them rows of Q blocks of another: each block sees its prefix and, in order, itself.
 * See `shared-prefix.ts`.
 */
export interface SharedRows {
  prefixes: number;
  prefixLength: number;
  blocks: number;
  blockLength: number;
}

/** Integers that say of {@link SharedRows} where keys are found. */
export interface SharedPlaces {
  /** [Q · (prefixLength + blockLength)] i32: row whose key stands at each position of a block's sequence. */
  keyRows: Tensor1D;
  /** [P] i32, zeros. */
  prefixStarts: Tensor1D;
  /** [Q] i32: length of each block's prefix. */
  blockStarts: Tensor1D;
  /** [Q] i32: which prefix each block goes on from. */
  prefixOf: Tensor1D;
}

/**
 * @param inputs what the layer reads besides its weights: the residual stream, and its cross-attention keys and values
 * @param layer a function of the same inputs
 */
export type LayerRunner = (index: number, inputs: LayerInputs, layer: (inputs: LayerInputs) => Tensor2D) => Tensor2D;

export interface LayerInputs {
  x: Tensor2D;
  cross: KeysAndValues | null;
  /** Integers that say where rows and keys stand. */
  places: Pick<DecoderContext, 'positions' | 'starts' | 'rowTiles'> & { keyTiles: Tensor2D | null; sharedPlaces: SharedPlaces | null };
}

/** `residual` + O(attention), of rows x that are normed. */
function selfAttention(
  x: Tensor2D,
  residual: Tensor2D,
  layer: number,
  config: NvlmConfig,
  weights: Weights,
  context: DecoderContext,
  places: SharedPlaces | null,
): Tensor2D {
  const { heads, kvHeads, headDim, qkNorm, rmsNormEps } = config.llm;
  const { batch, length, positions, starts, inverseFrequencies } = context;
  const name = `${names.decoderLayer(config, layer)}.self_attn`;
  const headNorm = (rows: Tensor2D, norm: string): Tensor2D =>
    rmsNorm(rows.reshape([-1, headDim]), weights.vector(`${name}.${norm}.weight`), rmsNormEps).reshape(rows.shape);
  const outputOf = (attended: Tensor2D) => projectEach(attended, [{ name: `${name}.o_proj`, residual }], weights)[0]!;
  const projections = ['q_proj', 'k_proj', 'v_proj'].map((projection) => ({ name: `${name}.${projection}` }));
  let [q, k, v] = projectEach(x, projections, weights) as [Tensor2D, Tensor2D, Tensor2D];
  if (qkNorm) {
    q = headNorm(q, 'q_norm');
    k = headNorm(k, 'k_norm');
  }
  q = rope(q, positions, inverseFrequencies, heads);
  k = rope(k, positions, inverseFrequencies, kvHeads);
  if (context.shared && places) {
    return outputOf(sharedAttention(q, k, v, { heads, kvHeads }, context.shared, places));
  }
  const fresh = {
    k: k.reshape<Tensor3D>([batch, length, kvHeads * headDim]),
    v: v.reshape<Tensor3D>([batch, length, kvHeads * headDim]),
  };
  context.probe?.queries?.('self', layer, q, context.cache?.lengths[0] ?? 0);
  const held = context.cache ? context.cache.write(layer, fresh.k, fresh.v, starts) : fresh;
  // One new token and no spare capacity, as when decoding on cpu: every key is in the past, so the mask is left out.
  const allPast = batch === 1 && length === 1 && held.k.shape[1] === (context.cache?.lengths[0] ?? 0) + 1;
  return outputOf(attention(q, held.k, held.v, { heads, kvHeads, causal: !allPast, starts, keyMask: null }));
}

/** Prefixes among themselves, blocks over their prefix's keys and their own: rows of keys are copied to where they are seen. */
function sharedAttention(
  q: Tensor2D,
  k: Tensor2D,
  v: Tensor2D,
  heads: { heads: number; kvHeads: number },
  { prefixes, prefixLength, blocks, blockLength }: SharedRows,
  { keyRows, prefixStarts, blockStarts }: SharedPlaces,
): Tensor2D {
  const [rows, width] = k.shape;
  const first = prefixes * prefixLength;
  const ofPrefixes = (x: Tensor2D) => x.slice([0, 0], [first, width]).reshape<Tensor3D>([prefixes, prefixLength, width]);
  const ofBlocks = (x: Tensor2D) => rowsAt(x, keyRows, rows, width).reshape<Tensor3D>([blocks, prefixLength + blockLength, width]);
  const options = { ...heads, causal: true, keyMask: null };
  return tf.concat([
    attention(q.slice([0, 0], [first, q.shape[1]]), ofPrefixes(k), ofPrefixes(v), { ...options, starts: prefixStarts }),
    attention(q.slice([first, 0], [-1, q.shape[1]]), ofBlocks(k), ofBlocks(v), { ...options, starts: blockStarts }),
  ]);
}

/** A gather whose gradient every backend has. */
function rowsAt(x: Tensor2D, ids: Tensor1D, vocab: number, width: number): Tensor2D {
  return embed(ids, { kind: 'f32', vocab, width, data: x }, null, null);
}

/**
 * `tanh(g) · O(softmax(Q(RMSNorm(h)) · K(v)ᵀ / √d + mask) · V(v))` (docs/facts.md, Gated cross-attention): what gated cross-attention adds to the residual
 * stream. Rows that see no tile get an exact zero.
 */
function gatedCrossAttention(
  x: Tensor2D,
  layer: number,
  config: NvlmConfig,
  weights: Weights,
  { k, v }: KeysAndValues,
  keyTiles: Tensor2D,
  rowTiles: Tensor2D,
  context: DecoderContext,
  places: SharedPlaces | null,
): Tensor2D {
  const { heads, kvHeads, rmsNormEps } = config.llm;
  const name = names.decoderLayer(config, layer);
  const normed = rmsNorm(x, weights.vector(`${name}.cross_attn_layernorm.weight`), rmsNormEps);
  const q = project(normed, `${name}.cross_attn.q_proj`, weights);
  context.probe?.queries?.('cross', layer, q, context.cache?.lengths[0] ?? 0);
  const attended =
    context.shared && places
      ? sharedCrossAttention(q, { k, v }, { heads, kvHeads, rowTiles, keyTiles }, context.shared, places)
      : crossAttention(q, k, v, { heads, kvHeads, rowTiles, keyTiles });
  const gate = context.probe?.gates?.get(layer) ?? weights.vector(`${name}.cross_attn_gate`).tanh();
  return applyGate(project(attended, `${name}.cross_attn.o_proj`, weights), gate);
}

/** Prefixes over their pictures, blocks over their prefix's. */
function sharedCrossAttention(
  q: Tensor2D,
  { k, v }: KeysAndValues,
  { rowTiles, keyTiles, ...heads }: CrossAttentionOptions,
  { prefixes, prefixLength, blocks }: SharedRows,
  { prefixOf }: SharedPlaces,
): Tensor2D {
  const [, keys, width] = k.shape;
  const first = prefixes * prefixLength;
  const part = (x: Tensor2D, from: number, count: number) => x.slice<Tensor2D>([from, 0], [count, x.shape[1]]);
  const ofBlocks = (x: Tensor3D) =>
    rowsAt(x.reshape([prefixes, keys * width]), prefixOf, prefixes, keys * width).reshape<Tensor3D>([blocks, keys, width]);
  const tilesOfBlocks = tf.gather(keyTiles, prefixOf);
  return tf.concat([
    crossAttention(part(q, 0, first), k, v, { ...heads, rowTiles: part(rowTiles, 0, first), keyTiles }),
    crossAttention(part(q, first, -1), ofBlocks(k), ofBlocks(v), {
      ...heads,
      rowTiles: part(rowTiles, first, -1),
      keyTiles: tilesOfBlocks,
    }),
  ]);
}

/** One decoder layer: self-attention → gated cross-attention where the layer has one → SwiGLU, all on the residual stream [R, C]. */
function decoderLayer(
  { x, cross, places }: LayerInputs,
  layer: number,
  config: NvlmConfig,
  weights: Weights,
  context: DecoderContext,
): Tensor2D {
  const name = names.decoderLayer(config, layer);
  const { rmsNormEps } = config.llm;
  const normed = rmsNorm(x, weights.vector(`${name}.input_layernorm.weight`), rmsNormEps);
  let h = selfAttention(normed, x, layer, config, weights, context, places.sharedPlaces);
  const { keyTiles, rowTiles } = places;
  if (cross && keyTiles && rowTiles) {
    h = plus(h, gatedCrossAttention(h, layer, config, weights, cross, keyTiles, rowTiles, context, places.sharedPlaces));
  }
  const inner = rmsNorm(h, weights.vector(`${name}.post_attention_layernorm.weight`), rmsNormEps);
  const sides = [{ name: `${name}.mlp.gate_proj` }, { name: `${name}.mlp.up_proj` }];
  const [gate, up] = projectEach(inner, sides, weights) as [Tensor2D, Tensor2D];
  return projectEach(swiglu(gate, up), [{ name: `${name}.mlp.down_proj`, residual: h }], weights)[0]!;
}

/** Embedded rows [R, C] → final-norm hidden states [R, C]. */
export function decode(
  embedded: Tensor2D,
  config: NvlmConfig,
  weights: Weights,
  context: DecoderContext,
  sharedPlaces: SharedPlaces | null = null,
): Tensor2D {
  return tf.tidy(() => {
    const { positions, starts, rowTiles, cross } = context;
    const places = { positions, starts, rowTiles, keyTiles: cross?.keyTiles ?? null, sharedPlaces };
    let x = embedded;
    for (let layer = 0; layer < config.llm.layers; layer++) {
      const run = (inputs: LayerInputs) => tf.tidy(() => decoderLayer(inputs, layer, config, weights, { ...context, ...inputs.places }));
      const inputs = { x, cross: context.cross?.layers.get(layer) ?? null, places };
      const next = context.runLayer ? context.runLayer(layer, inputs, run) : run(inputs);
      // With a cache nothing is differentiated, and else every layer's residual stream would stay until the last one's.
      if (context.cache && layer > 0) x.dispose();
      x = next;
      context.probe?.residual?.(layer, x);
    }
    return finalNorm(x, config, weights);
  });
}

/** The norm between the last layer's residual stream [R, C] and the head. */
export function finalNorm(x: Tensor2D, config: NvlmConfig, weights: Weights): Tensor2D {
  return rmsNorm(x, weights.vector(names.finalNorm(config)), config.llm.rmsNormEps);
}

/** Hidden states [R, C] → logits [R, V] through the head, or the embedding table where they are tied. */
export function logitsOf(hidden: Tensor2D, config: NvlmConfig, weights: Weights): Tensor2D {
  return project(hidden, names.lmHead(config), weights);
}

/** Keys and values of the image for every cross-attention layer, from its projected tokens [B, S, C]. */
export function crossKeysAndValues(
  tokens: Tensor3D,
  keyTiles: Tensor2D,
  tiles: number,
  config: NvlmConfig,
  weights: Weights,
): CrossKeysAndValues {
  const [batch, length, width] = tokens.shape;
  const rows = tokens.reshape<Tensor2D>([batch * length, width]);
  const layers: CrossKeysAndValues['layers'] = new Map();
  for (let layer = 0; layer < config.llm.layers; layer++) {
    if (!hasCrossAttention(config, layer)) continue;
    const name = `${names.decoderLayer(config, layer)}.cross_attn`;
    const side = (projection: string): Tensor3D => project(rows, `${name}.${projection}`, weights).reshape([batch, length, -1]);
    layers.set(layer, { k: side('k_proj'), v: side('v_proj') });
  }
  return { layers, keyTiles, tiles };
}
