import * as tf from '@tensorflow/tfjs';

import { timesTransposed, transposedTimes } from '../products.ts';

/** Sizes of one attention call. */
export interface AttentionSizes {
  /** B */
  batch: number;
  /** T, query rows of one batch entry */
  rows: number;
  /** S, keys of one batch entry */
  keys: number;
  /** H */
  heads: number;
  /** Hkv, a divisor of H */
  kvHeads: number;
  /** D */
  dim: number;
}

/** f32 [T, S] of batch entry b, 1 = the row sees the key; null when every row sees every key. */
export type Visibility = (b: number) => tf.Tensor2D | null;

/**
 * Below this many rows, decode, one product for all heads beats a loop over heads: few tiny kernels and no transposed
 * cache.
 */
const FEW_ROWS = 4;

const HIDDEN = -1e30;

/** Causal and key-mask visibility of `attention`; see there. */
export function maskVisibility(
  sizes: AttentionSizes,
  causal: boolean,
  starts: tf.Tensor1D | undefined,
  keyMask: tf.Tensor2D | undefined,
): Visibility {
  const { rows, keys } = sizes;
  return (b) => {
    if (!causal && !keyMask) return null;
    let visible: tf.Tensor2D | null = null;
    if (causal) {
      const steps = tf.range(0, rows, 1, 'int32');
      const positions = tf.reshape(starts ? tf.add(steps, tf.slice(starts, b, 1)) : steps, [rows, 1]) as tf.Tensor2D;
      const places = tf.reshape(tf.range(0, keys, 1, 'int32'), [1, keys]);
      visible = tf.cast(tf.lessEqual(places, positions), 'float32') as tf.Tensor2D;
    }
    if (!keyMask) return visible;
    const mask = tf.cast(tf.slice(keyMask, [b, 0], [1, keys]), 'float32') as tf.Tensor2D;
    return visible ? tf.mul<tf.Tensor2D>(visible, mask) : tf.tile(mask, [rows, 1]);
  };
}

/**
 * softmax(q · kᵀ / √D) · v per head with hidden keys left out; rows that see nothing give zeros. q [B·T, H·D], k, v [B,
 * S, Hkv·D].
 */
export function attendReference(
  q: tf.Tensor2D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  sizes: AttentionSizes,
  visibility: Visibility,
): tf.Tensor2D {
  const { batch, rows, keys, heads, kvHeads, dim } = sizes;
  if (keys === 0) return tf.zeros([batch * rows, heads * dim]);
  const attendOne = rows <= FEW_ROWS ? attendFewRows : attendByHead;
  const entries: tf.Tensor2D[] = [];
  for (let b = 0; b < batch; b++) {
    const qb = batch === 1 ? q : tf.slice(q, [b * rows, 0], [rows, heads * dim]);
    const kb = tf.reshape(batch === 1 ? k : tf.slice(k, [b, 0, 0], [1, keys, kvHeads * dim]), [keys, kvHeads * dim]);
    const vb = tf.reshape(batch === 1 ? v : tf.slice(v, [b, 0, 0], [1, keys, kvHeads * dim]), [keys, kvHeads * dim]);
    entries.push(attendOne(qb, kb as tf.Tensor2D, vb as tf.Tensor2D, sizes, visibility(b)));
  }
  return entries.length === 1 ? entries[0]! : tf.concat(entries, 0);
}

/** The general case: a loop over kv heads of 2-D products. q [T, H·D], k, v [S, Hkv·D]. */
function attendByHead(q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, sizes: AttentionSizes, visible: tf.Tensor2D | null): tf.Tensor2D {
  const { rows, keys, heads, kvHeads, dim } = sizes;
  const qHeads = splitHeads(q, rows, heads, dim);
  const kHeads = tf.transpose(tf.reshape(k, [keys, kvHeads, dim]), [1, 2, 0]);
  const vHeads = splitHeads(v, keys, kvHeads, dim);
  const hidden = visible && hiddenScores(visible);
  const outputs: tf.Tensor2D[] = [];
  for (let g = 0; g < kvHeads; g++) {
    // The scores of one group at a time: those of all heads would be more than everything else together.
    outputs.push(
      tf.tidy(() => {
        const weights = headWeights(groupOf(qHeads, g, sizes), pick(kHeads, g, [dim, keys]), sizes, visible, hidden);
        return tf.matMul(weights, pick(vHeads, g, [keys, dim]));
      }),
    );
  }
  return joinHeads(outputs, rows, heads, dim);
}

/** Attention weights of the heads that share kv head g: q [group·T, D], kᵀ [D, S] → [group·T, S]. */
export function headWeights(
  q: tf.Tensor2D,
  kTransposed: tf.Tensor2D,
  { rows, keys, heads, kvHeads, dim }: AttentionSizes,
  visible: tf.Tensor2D | null,
  hidden: tf.Tensor2D | null,
): tf.Tensor2D {
  const group = heads / kvHeads;
  // Scaling q rather than the scores touches D instead of S numbers a row.
  const scores = tf.matMul(tf.mul<tf.Tensor2D>(q, 1 / Math.sqrt(dim)), kTransposed);
  if (!visible || !hidden) return tf.softmax(scores) as tf.Tensor2D;
  const masked = tf.add(tf.reshape(scores, [group, rows, keys]), hidden);
  // Multiplying by the mask makes rows that see nothing zero, where softmax alone would make them uniform.
  return tf.reshape(tf.mul(tf.softmax(masked), visible), [group * rows, keys]);
}

/**
 * Decode: all heads in one 2-D product by setting each query head into the columns of its kv head, zeros elsewhere.
 * Keys and values are read as they lie in the cache, without transposing it at every token.
 */
function attendFewRows(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  { rows, keys, heads, kvHeads, dim }: AttentionSizes,
  visible: tf.Tensor2D | null,
): tf.Tensor2D {
  const owner = new Float32Array(heads * kvHeads);
  for (let h = 0; h < heads; h++) owner[h * kvHeads + Math.floor((h * kvHeads) / heads)] = 1 / Math.sqrt(dim);
  const scaledOwner = tf.tensor(owner, [1, heads, kvHeads, 1]);
  const spread = tf.reshape(tf.mul(tf.reshape(q, [rows, heads, 1, dim]), scaledOwner), [rows * heads, kvHeads * dim]);
  let scores: tf.Tensor = tf.transpose(tf.matMul(k, tf.transpose(spread) as tf.Tensor2D));
  let weights: tf.Tensor2D;
  if (visible) {
    const mask = tf.reshape(visible, [rows, 1, keys]);
    scores = tf.add(tf.reshape(scores, [rows, heads, keys]), hiddenScores(mask));
    weights = tf.reshape(tf.mul(tf.softmax(scores), mask), [rows * heads, keys]);
  } else {
    weights = tf.softmax(scores) as tf.Tensor2D;
  }
  const all = tf.reshape(tf.matMul(weights, v), [rows, heads, kvHeads, dim]);
  return tf.reshape(tf.sum(tf.mul(all, tf.mul(scaledOwner, Math.sqrt(dim))), 2), [rows, heads * dim]);
}

/**
 * Gradients of {@link attendReference} to q, k and v, with the weights computed again rather than kept.
 * All three at once: they share the weights and the gradient of the scores.
 */
export function attendGradientReference(
  dy: tf.Tensor2D,
  q: tf.Tensor2D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  sizes: AttentionSizes,
  visibility: Visibility,
): { q: tf.Tensor2D; k: tf.Tensor3D; v: tf.Tensor3D } {
  const { batch, rows, keys, heads, kvHeads, dim } = sizes;
  if (keys === 0) return { q: tf.zerosLike(q), k: tf.zerosLike(k), v: tf.zerosLike(v) };
  const scale = 1 / Math.sqrt(dim);
  const dqs: tf.Tensor2D[] = [];
  const dks: tf.Tensor2D[] = [];
  const dvs: tf.Tensor2D[] = [];
  for (let b = 0; b < batch; b++) {
    const visible = visibility(b);
    const hidden = visible && hiddenScores(visible);
    const qHeads = splitHeads(tf.slice(q, [b * rows, 0], [rows, heads * dim]), rows, heads, dim);
    const dyHeads = splitHeads(tf.slice(dy, [b * rows, 0], [rows, heads * dim]), rows, heads, dim);
    const kHeads = splitHeads(tf.slice(k, [b, 0, 0], [1, keys, kvHeads * dim]), keys, kvHeads, dim);
    const vHeads = splitHeads(tf.slice(v, [b, 0, 0], [1, keys, kvHeads * dim]), keys, kvHeads, dim);
    const dq: tf.Tensor2D[] = [];
    const dk: tf.Tensor2D[] = [];
    const dv: tf.Tensor2D[] = [];
    for (let g = 0; g < kvHeads; g++) {
      // As in the forward pass: one group's scores at a time.
      const [dqg, dkg, dvg] = tf.tidy(() => {
        const qg = groupOf(qHeads, g, sizes);
        const dyg = groupOf(dyHeads, g, sizes);
        const kg = pick(kHeads, g, [keys, dim]);
        const vg = pick(vHeads, g, [keys, dim]);
        const weights = headWeights(qg, tf.transpose(kg), sizes, visible, hidden);
        const dScores = tf.mul<tf.Tensor2D>(softmaxGradient(weights, timesTransposed(dyg, vg)), scale);
        return [tf.matMul(dScores, kg), transposedTimes(dScores, qg), transposedTimes(weights, dyg)];
      }) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      dq.push(dqg);
      dk.push(dkg);
      dv.push(dvg);
    }
    dqs.push(joinHeads(dq, rows, heads, dim));
    dks.push(joinHeads(dk, keys, kvHeads, dim));
    dvs.push(joinHeads(dv, keys, kvHeads, dim));
  }
  return {
    q: tf.concat(dqs, 0),
    k: tf.reshape(tf.concat(dks, 0), [batch, keys, kvHeads * dim]),
    v: tf.reshape(tf.concat(dvs, 0), [batch, keys, kvHeads * dim]),
  };
}

/**
 * weights · (dWeights − Σ weights · dWeights), whose rows sum to zero. Rounding leaves them a rest, which is nothing beside the
 * entries but much beside what remains of a key bias's gradient when they cancel; a second pass takes it off.
 */
function softmaxGradient(weights: tf.Tensor2D, dWeights: tf.Tensor2D): tf.Tensor2D {
  const dot = tf.sum(tf.mul(dWeights, weights), 1, true);
  const centred = tf.sub(dWeights, dot);
  const rest = tf.sum(tf.mul(centred, weights), 1, true);
  return tf.mul(weights, tf.sub(centred, rest));
}

/** 0 where visible, a very low score where not. */
export function hiddenScores<T extends tf.Tensor>(visible: T): T {
  return tf.mul(tf.sub(1, visible), HIDDEN);
}

/** [rows, heads·dim] → [heads, rows, dim] */
export function splitHeads(x: tf.Tensor, rows: number, heads: number, dim: number): tf.Tensor3D {
  return tf.transpose(tf.reshape(x, [rows, heads, dim]), [1, 0, 2]) as tf.Tensor3D;
}

/** Heads one after another, each [group·rows, dim], → [rows, heads·dim] */
function joinHeads(parts: tf.Tensor2D[], rows: number, heads: number, dim: number): tf.Tensor2D {
  const joined = parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
  return tf.reshape(tf.transpose(tf.reshape(joined, [heads, rows, dim]), [1, 0, 2]), [rows, heads * dim]);
}

/** Query heads of kv head g, [group·T, D]. */
export function groupOf(qHeads: tf.Tensor3D, g: number, { rows, heads, kvHeads, dim }: AttentionSizes): tf.Tensor2D {
  const group = heads / kvHeads;
  return tf.reshape(tf.slice(qHeads, [g * group, 0, 0], [group, rows, dim]), [group * rows, dim]);
}

function pick(x: tf.Tensor, index: number, shape: [number, number]): tf.Tensor2D {
  return tf.reshape(tf.slice(x, [index, 0, 0], [1, ...shape]), shape);
}
