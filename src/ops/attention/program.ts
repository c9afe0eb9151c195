import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';

import { type Program, releaseInfo, runProgram } from '../webgpu-program.ts';
import { combineProgram, decodeProgram } from './decode-program.ts';
import { maskInputs, maskKey, type MaskTensors } from './mask-wgsl.ts';
import type { AttentionSizes } from './reference.ts';
import { OWNED, type TileKind, tileInputs, tileProgram } from './tile-program.ts';
import { uniformsOf } from './wgsl.ts';

/** Rows of one batch entry up to which each row gets a workgroup of its own. */
const FEW_ROWS = 4;
/** Keys that one run of a split decode should at least have. */
const KEYS_PER_SPLIT = 256;
const MAX_SPLITS = 32;

const made = new Map<string, Program>();

function once(key: string, make: () => Program): Program {
  let program = made.get(key);
  if (!program) made.set(key, (program = make()));
  return program;
}

/** Attention of q over k and v under a mask; keys ≥ 1. */
export function attendProgram(q: TensorInfo, k: TensorInfo, v: TensorInfo, sizes: AttentionSizes, mask: MaskTensors): TensorInfo {
  if (sizes.rows > FEW_ROWS) return runTiles('forward', { q, k, v }, sizes, mask, q.shape);
  const { batch, rows, keys, heads, dim } = sizes;
  const count = batch * rows * heads;
  const splits = Math.min(MAX_SPLITS, Math.ceil(keys / KEYS_PER_SPLIT));
  const program = once(`decode ${dim} ${splits > 1} ${maskKey(mask)}`, () => decodeProgram(dim, mask, splits > 1));
  const parts = runProgram(program, {
    inputs: [q, k, v, ...maskInputs(mask).map(({ tensor }) => tensor)],
    uniforms: uniformsOf(sizes, mask, splits),
    outputShape: splits > 1 ? [count, splits, dim + 2] : q.shape,
    groups: count * splits,
  });
  if (splits === 1) return parts;
  const output = runProgram(combineProgram, {
    inputs: [parts],
    uniforms: { count, splits, dim },
    outputShape: q.shape,
    groups: Math.ceil((count * dim) / combineProgram.threads),
  });
  releaseInfo(parts);
  return output;
}

/**
 * Gradients of {@link attendProgram}; the row statistics they share are computed at once, each gradient when called.
 */
export function attendGradientPrograms(
  tensors: { dy: tf.Tensor; output: tf.Tensor; q: tf.Tensor; k: tf.Tensor; v: tf.Tensor },
  sizes: AttentionSizes,
  mask: MaskTensors,
): Record<'q' | 'k' | 'v', () => tf.Tensor> {
  const { batch, rows, heads } = sizes;
  const asTensor = (info: TensorInfo) => tf.engine().makeTensorFromTensorInfo(info);
  const stats = asTensor(runTiles('stats', tensors, sizes, mask, [batch * rows, heads, 2]));
  const gradient = (kind: TileKind, like: tf.Tensor) => () => asTensor(runTiles(kind, { ...tensors, stats }, sizes, mask, like.shape));
  return { q: gradient('dq', tensors.q), k: gradient('dk', tensors.k), v: gradient('dv', tensors.v) };
}

function runTiles(
  kind: TileKind,
  tensors: Record<string, TensorInfo>,
  sizes: AttentionSizes,
  mask: MaskTensors,
  outputShape: number[],
): TensorInfo {
  const { batch, rows, keys, heads, kvHeads, dim } = sizes;
  const program = once(`${kind} ${dim} ${maskKey(mask)}`, () => tileProgram(kind, dim, mask));
  const ownsKeys = kind === 'dk' || kind === 'dv';
  const tiles = ownsKeys ? Math.ceil(keys / OWNED) * kvHeads : Math.ceil(rows / OWNED) * heads;
  return runProgram(program, {
    inputs: [...tileInputs(kind).map((name) => tensors[name]!), ...maskInputs(mask).map(({ tensor }) => tensor)],
    uniforms: uniformsOf(sizes, mask),
    outputShape,
    groups: batch * tiles,
  });
}
