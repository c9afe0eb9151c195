import * as tf from '@tensorflow/tfjs';

import { sidesOf, type AffineBits } from '../affine.ts';
import { unpackAffineRows } from '../affine-rows.ts';
import { checkAffine } from '../check-affine.ts';
import { checkShape, defineOp } from '../define-op.ts';
import type { EmbeddingTable, PlainTable } from '../types.ts';
import { embedKernel } from './kernel.ts';
import { embedProgram, scatterAddProgram } from './program.ts';
import { embedReference, scatterAddReference, unpackTable } from './reference.ts';

type Inputs = { ids: tf.Tensor1D; table: tf.Tensor2D; visual?: tf.Tensor2D; slots?: tf.Tensor1D };
type AffineInputs = Inputs & { scales?: tf.Tensor2D; biases?: tf.Tensor2D; pairs?: tf.Tensor2D };
type ScatterInputs = { dy: tf.Tensor2D; targets: tf.Tensor1D };

const scatterAdd = defineOp<ScatterInputs, { count: number }>({
  name: 'NvlmScatterAdd',
  required: ['dy', 'targets'],
  reference: ({ dy, targets }, { count }) => scatterAddReference(dy, targets, count),
  program: ({ dy, targets }, { count }) => scatterAddProgram(dy, targets, count),
});

/** Ids of the rows that read the table; −1 where a visual token stands. */
function textTargets(ids: tf.Tensor1D, slots: tf.Tensor1D | undefined): tf.Tensor1D {
  if (!slots) return ids;
  return tf.where(tf.less(slots, tf.scalar(0, 'int32')), ids, tf.fill(ids.shape, -1, 'int32')) as tf.Tensor1D;
}

const embedF32 = defineOp<Inputs, { vocab: number; width: number; visualRows: number }>({
  name: 'NvlmEmbed',
  required: ['ids', 'table'],
  optional: ['visual', 'slots'],
  reference: ({ ids, table, visual, slots }) => embedReference(ids, table, visual, slots),
  program: (inputs, { width }) => embedProgram('f32', width, inputs),
  kernel: (inputs, { width }) => embedKernel('f32', width, inputs),
  gradient: {
    save: ['ids', 'slots'],
    of: (dy, { ids, slots }, { vocab, visualRows }) => ({
      table: () => tf.tidy(() => scatterAdd({ dy: dy as tf.Tensor2D, targets: textTargets(ids, slots) }, { count: vocab })),
      visual: () => scatterAdd({ dy: dy as tf.Tensor2D, targets: slots! }, { count: visualRows }),
    }),
  },
});

const embedF16 = defineOp<Inputs, { width: number; visualRows: number }>({
  name: 'NvlmEmbedF16',
  required: ['ids', 'table'],
  optional: ['visual', 'slots'],
  reference: ({ ids, table, visual, slots }, { width }) => embedReference(ids, unpackTable(table, width), visual, slots),
  program: (inputs, { width }) => embedProgram('f16', width, inputs),
  kernel: (inputs, { width }) => embedKernel('f16', width, inputs),
  gradient: {
    save: ['slots'],
    of: (dy, { slots }, { visualRows }) => ({
      visual: () => scatterAdd({ dy: dy as tf.Tensor2D, targets: slots! }, { count: visualRows }),
    }),
  },
});

const embedAffine = defineOp<AffineInputs, { width: number; visualRows: number; bits: AffineBits; groupSize: number }>({
  name: 'NvlmEmbedAffine',
  required: ['ids', 'table'],
  optional: ['scales', 'biases', 'pairs', 'visual', 'slots'],
  reference: ({ ids, table, visual, slots, ...sides }, { bits, groupSize }) =>
    embedReference(ids, unpackAffineRows({ words: table, ...sides }, bits, groupSize), visual, slots),
  program: ({ scales, biases, pairs, ...inputs }, { width, bits, groupSize }) =>
    embedProgram(`affine${bits}`, width, inputs, { sides: sidesOf<tf.TensorInfo>({ scales, biases, pairs }), groupSize }),
  kernel: (inputs, { width, bits, groupSize }) => embedKernel(`affine${bits}`, width, inputs, groupSize),
  gradient: {
    save: ['slots'],
    of: (dy, { slots }, { visualRows }) => ({
      visual: () => scatterAdd({ dy: dy as tf.Tensor2D, targets: slots! }, { count: visualRows }),
    }),
  },
});

/**
 * The decoder's input: token embeddings with visual tokens merged in at their positions.
 *
 * @param ids i32 [R], each in [0, vocab), also where a visual token stands
 * @param table f32 [vocab, C], or packed halves or quantised (see ../types.ts), which are frozen: they get no gradient
 * @param visual f32 [N, C] connector output, or null for text only
 * @param slots i32 [R]: row of `visual` that stands here, −1 = text; null exactly when `visual` is
 * @returns f32 [R, C]; gradients to an f32 table and to visual (rows used more than once are summed, in row order)
 * @throws RangeError when shapes disagree
 */
export function embed(ids: tf.Tensor1D, table: EmbeddingTable, visual: tf.Tensor2D | null, slots: tf.Tensor1D | null): tf.Tensor2D {
  const { vocab, width } = table;
  if ((visual === null) !== (slots === null)) throw new RangeError('embed: visual and slots come together');
  if (visual) checkShape('embed', 'visual', visual, [null, width]);
  if (slots) checkShape('embed', 'slots', slots, [ids.shape[0]]);
  if (table.kind === 'parts') return embedFromParts(ids, table.parts, visual, slots);
  // No rows, no binding: WebGPU has no empty buffers.
  const merged = visual !== null && visual.shape[0] > 0 ? { visual, slots: slots! } : {};
  const inputs = { ids, table: table.data, ...merged };
  const visualRows = visual ? visual.shape[0] : 0;
  if (table.kind === 'f32') {
    checkShape('embed', 'table', table.data, [vocab, width]);
    return embedF32(inputs, { vocab, width, visualRows }) as tf.Tensor2D;
  }
  if (table.kind === 'affine') {
    const { bits, groupSize } = table;
    checkAffine('embed', table, vocab, width);
    return embedAffine({ ...inputs, ...sidesOf(table) }, { width, visualRows, bits, groupSize }) as tf.Tensor2D;
  }
  checkShape('embed', 'packed table', table.data, [vocab, Math.ceil(width / 2)]);
  return embedF16(inputs, { width, visualRows }) as tf.Tensor2D;
}

/** Each part's rows where the id is one of its own, zeros elsewhere, added up: exact, for every row comes from one part. */
function embedFromParts(
  ids: tf.Tensor1D,
  parts: readonly PlainTable[],
  visual: tf.Tensor2D | null,
  slots: tf.Tensor1D | null,
): tf.Tensor2D {
  return tf.tidy(() => {
    let first = 0;
    const rows = parts.map((part) => {
      // As floats, which hold ids exactly: tfjs's wasm kernel clips no integers.
      const local = ids.cast<tf.Tensor1D>('float32').sub<tf.Tensor1D>(first);
      first += part.vocab;
      const inside = local.clipByValue<tf.Tensor1D>(0, part.vocab - 1);
      const isOwn = local.equal(inside).cast<tf.Tensor1D>('float32').expandDims<tf.Tensor2D>(1);
      return embed(inside.cast<tf.Tensor1D>('int32'), part, visual, slots).mul<tf.Tensor2D>(isOwn);
    });
    return rows.reduce((sum, one) => sum.add(one));
  });
}
