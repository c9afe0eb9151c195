import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { PlannedParameter } from '../../nvlm/checkpoint-layout.ts';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, toF32, type DType } from '../../weights/dtype.ts';
import { quantizedRows, quantizeGroups } from '../../weights/quantize.ts';
import type { TensorEntry } from '../../weights/safetensors.ts';
import { readSpan, type ModelFiles } from '../../weights/source.ts';

/** New values for a parameter of the model. */
export interface TensorChange {
  /** @param values whole rows (first dimension) of the old values, from row `firstRow` on, to be changed in place */
  rewrite(values: Float32Array, firstRow: number): void;
}

/** Where a file's tensor stands in a changed parameter. */
export interface ChangedTensor {
  change: TensorChange;
  /** Row of the parameter at which this tensor begins: some layouts store one parameter as several. */
  firstRow: number;
  /** Set for a parameter in the affine layout, of which this tensor is the words, the scales or the biases. */
  affine: { parameter: PlannedParameter; part: 'weight' | 'scales' | 'biases' } | null;
}

/** Rows at a time, so that a tensor of any size passes through. */
const BLOCK_BYTES = 4 * 2 ** 20;

/** The changed tensor as the file's own element type, or as `dtype`, a block of rows after the other. */
export async function* rewrittenTensor(
  files: ModelFiles,
  entry: TensorEntry,
  changed: ChangedTensor,
  dtype: DType,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (changed.affine) {
    yield* requantized(files, changed.change, changed.affine, signal);
    return;
  }
  for (const { from, to, row } of blocksOf(entry)) {
    const values = toF32(entry.dtype, await readSpan(files, entry.file, from, to, signal))!;
    changed.change.rewrite(values, changed.firstRow + row);
    yield encoded(values, dtype, entry.name);
    throwIfAborted(signal);
  }
}

/**
 * A changed matrix of an affine checkpoint is quantised anew with the bits and groups that it had, as MLX's own `fuse`
 * does. Its three tensors lie apart in the file, so the work is done for each of them.
 */
async function* requantized(
  files: ModelFiles,
  change: TensorChange,
  { parameter, part }: NonNullable<ChangedTensor['affine']>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { bits, groupSize, scales, biases } = parameter.affine!;
  const words = parameter.sources[0]!;
  const [, columns] = parameter.spec.shape as [number, number];
  const groups = columns / groupSize;
  for (const { from, to, row, rows } of blocksOf(words)) {
    const side = async ({ file, start, dtype, end, shape }: TensorEntry) => {
      const rowBytes = (end - start) / shape[0]!;
      const bytes = await readSpan(files, file, start + row * rowBytes, start + (row + rows) * rowBytes, signal);
      return toF32(dtype, bytes)!;
    };
    const packed = await readSpan(files, words.file, from, to, signal);
    const values = dequantized(packed, await side(scales), await side(biases), bits, groupSize);
    change.rewrite(values, row);
    const out = quantizedRows(rows, columns, bits, groupSize);
    quantizeGroups(values, bits, groupSize, out, 0, rounding(scales.dtype));
    if (out.scales.length !== rows * groups) throw new Error(`${words.name} has an odd number of groups.`);
    if (part === 'weight') yield new Uint8Array(out.words.buffer);
    else yield encoded(out[part], (part === 'scales' ? scales : biases).dtype, words.name);
    throwIfAborted(signal);
  }
}

function dequantized(packed: Uint8Array, scales: Float32Array, biases: Float32Array, bits: number, groupSize: number): Float32Array {
  const words = new Uint32Array(packed.slice().buffer);
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const values = new Float32Array(words.length * perWord);
  for (let i = 0; i < values.length; i++) {
    const group = Math.floor(i / groupSize);
    const q = (words[Math.floor(i / perWord)]! >>> ((i % perWord) * bits)) & mask;
    values[i] = scales[group]! * q + biases[group]!;
  }
  return values;
}

function* blocksOf({ start, end, shape }: TensorEntry): Generator<{ from: number; to: number; row: number; rows: number }> {
  const all = shape[0] ?? 1;
  const rowBytes = (end - start) / all;
  const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  for (let row = 0; row < all; row += step) {
    const rows = Math.min(step, all - row);
    yield { from: start + row * rowBytes, to: start + (row + rows) * rowBytes, row, rows };
  }
}

/** @throws NvlmError `not-a-number` for what the element type cannot hold: an endless number is a broken model */
function encoded(values: Float32Array, dtype: DType, name: string): Uint8Array {
  const data = dtype === 'F16' ? f32ToF16(values) : dtype === 'BF16' ? f32ToBf16(values) : values;
  const broken = data instanceof Uint16Array ? data.some((word) => isEndless(word, dtype)) : !values.every(Number.isFinite);
  if (broken) {
    throw new NvlmError(
      'not-a-number',
      `${name} gets values that ${dtype} cannot hold.`,
      'Export with --dtype f32, or lower the strength of the adapter.',
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function isEndless(word: number, dtype: DType): boolean {
  const exponent = dtype === 'F16' ? 0x7c00 : 0x7f80;
  return (word & exponent) === exponent;
}

function rounding(dtype: DType): (value: number) => number {
  const one = new Float32Array(1);
  if (dtype === 'F16') return (value) => ((one[0] = value), f16ToF32(f32ToF16(one))[0]!);
  if (dtype === 'BF16') return (value) => ((one[0] = value), bf16ToF32(f32ToBf16(one))[0]!);
  return Math.fround;
}
