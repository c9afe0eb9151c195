import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import { unpackAffine, type AffineBits } from '../ops/affine.ts';
import type { AffineTensors } from '../ops/types.ts';
import { bf16ToF16, bf16ToF32, maxAbs, toF32, wordsOf } from '../weights/dtype.ts';
import { quantizedRows, quantizeGroups, type QuantizedRows } from '../weights/quantize.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import type { PlannedParameter } from './checkpoint-layout.ts';

/** How the values of a matrix arrive at the device. Half bits are f16, whatever the checkpoint has. */
export type ParameterValues =
  | { kind: 'f32'; values: Float32Array; rows: number; columns: number }
  | { kind: 'f16'; bits: Uint16Array; rows: number; columns: number }
  | ({ kind: 'affine'; rows: number; columns: number } & AffineTensors);

/** Takes the pieces of one parameter, from one or several file tensors and in any order of these. */
export interface ParameterSink {
  add(source: TensorEntry, offset: number, bytes: Uint8Array): void;
  /** After the last piece. What is on the device then belongs to the caller. */
  finish(): ParameterValues;
  /** Frees what is on the device already, when loading fails half-way. */
  dispose(): void;
}

/** A float tensor as it is: f32 values, or raw 16-bit words until it is known whether bf16 fits into f16. */
export class DenseSink implements ParameterSink {
  private readonly values: Float32Array | Uint16Array<ArrayBuffer>;
  private readonly rows: number;
  private readonly columns: number;

  /** @param keepHalves hold half-precision values as halves; only where all of `sources` have one element type */
  constructor(
    private readonly sources: readonly TensorEntry[],
    keepHalves: boolean,
  ) {
    const [first] = sources;
    const size = sources.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const isHalf = keepHalves && first!.dtype !== 'F32' && sources.every(({ dtype }) => dtype === first!.dtype);
    this.values = isHalf ? new Uint16Array(size) : new Float32Array(size);
    this.rows = sources.reduce((sum, { shape }) => sum + (shape[0] ?? 1), 0);
    this.columns = size / this.rows;
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    let before = 0;
    for (const other of this.sources) {
      if (other === source) break;
      before += sizeOf(other.shape);
    }
    const at = before + (offset * sizeOf(source.shape)) / (source.end - source.start);
    if (this.values instanceof Uint16Array) {
      const words = wordsOf(bytes);
      const infinity = source.dtype === 'F16' ? 0x7c00 : 0x7f80;
      if (words.some((word) => (word & infinity) === infinity)) throw notFinite(source.name);
      this.values.set(words, at);
    } else {
      this.values.set(finiteF32(source, bytes), at);
    }
  }

  finish(): ParameterValues {
    const { rows, columns, values } = this;
    if (values instanceof Float32Array) return { kind: 'f32', values, rows, columns };
    if (this.sources[0]!.dtype === 'F16') return { kind: 'f16', bits: values, rows, columns };
    // bf16 reaches further than f16: a matrix with such a value stays f32 rather than becoming infinite.
    if (values.some((word) => (word & 0x7fff) >= BF16_BEYOND_F16)) return { kind: 'f32', values: bf16ToF32(values), rows, columns };
    return { kind: 'f16', bits: bf16ToF16(values, values), rows, columns };
  }

  dispose(): void {}
}

/** 65536 in bf16: the next smaller one, 65280, is the last that f16 can hold. */
const BF16_BEYOND_F16 = 0x4780;

/** Packs a float matrix as its rows arrive, so that it is never held unpacked. */
export class QuantizingSink implements ParameterSink {
  private readonly packed: QuantizedRows;
  private readonly rows: number;
  private readonly columns: number;

  constructor(
    source: TensorEntry,
    private readonly layout: { bits: AffineBits; groupSize: number },
    private readonly keepPacked: boolean,
  ) {
    [this.rows, this.columns] = source.shape as [number, number];
    this.packed = quantizedRows(this.rows, this.columns, layout.bits, layout.groupSize);
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    const { bits, groupSize } = this.layout;
    const firstValue = (offset * this.rows * this.columns) / (source.end - source.start);
    const values = finiteF32(source, bytes);
    // Pieces are whole rows, and rows whole groups.
    if (firstValue % groupSize !== 0 || values.length % groupSize !== 0) throw new Error(`A piece of ${source.name} is not whole rows.`);
    quantizeGroups(values, bits, groupSize, this.packed, firstValue / groupSize);
  }

  finish(): ParameterValues {
    const { rows, columns, packed, layout } = this;
    if (!this.keepPacked) return { kind: 'f32', values: unpackAffine(packed, layout.bits, layout.groupSize), rows, columns };
    return { kind: 'affine', rows, columns, ...layout, ...affineTensors(packed, rows, columns, layout.groupSize) };
  }

  dispose(): void {}
}

/**
 * A matrix that the checkpoint holds quantised. Words, scales and biases often lie far apart in the file: on a device that computes
 * with them each goes there as soon as it is complete, so that no more than one is held here.
 */
export class AffineSink implements ParameterSink {
  private words: Int32Array | null = null;
  private readonly groups = new Map<TensorEntry, Float32Array>();
  private readonly left = new Map<TensorEntry, number>();
  private readonly onDevice = new Map<TensorEntry, Tensor2D>();

  constructor(
    private readonly parameter: PlannedParameter & { affine: NonNullable<PlannedParameter['affine']> },
    private readonly keepPacked: boolean,
  ) {
    const { scales, biases } = parameter.affine;
    for (const entry of [parameter.sources[0]!, scales, biases]) this.left.set(entry, entry.end - entry.start);
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    if (source === this.parameter.sources[0]) {
      this.words ??= new Int32Array(sizeOf(source.shape));
      new Uint8Array(this.words.buffer).set(bytes, offset);
    } else {
      let values = this.groups.get(source);
      if (!values) this.groups.set(source, (values = new Float32Array(sizeOf(source.shape))));
      values.set(finiteF32(source, bytes), (offset * values.length) / (source.end - source.start));
    }
    const left = this.left.get(source)! - bytes.length;
    this.left.set(source, left);
    if (left > 0 || !this.keepPacked) return;
    const isWords = source === this.parameter.sources[0];
    const values = isWords ? this.words! : this.groups.get(source)!;
    this.onDevice.set(source, tf.tensor2d(values, source.shape as [number, number], isWords ? 'int32' : 'float32'));
    if (isWords) this.words = null;
    else this.groups.delete(source);
  }

  finish(): ParameterValues {
    const { spec, sources, affine } = this.parameter;
    const { bits, groupSize } = affine;
    const [rows, columns] = spec.shape as [number, number];
    if (this.keepPacked) {
      const [data, scales, biases] = [sources[0]!, affine.scales, affine.biases].map((entry) => this.onDevice.get(entry)!);
      return { kind: 'affine', rows, columns, bits, groupSize, data: data!, scales: scales!, biases: biases! };
    }
    const [scales, biases] = [affine.scales, affine.biases].map((entry) => this.groups.get(entry)!);
    const values = unpackAffine({ words: this.words!, scales: scales!, biases: biases! }, bits, groupSize);
    return { kind: 'f32', values, rows, columns };
  }

  dispose(): void {
    for (const tensor of this.onDevice.values()) tensor.dispose();
  }
}

function affineTensors({ words, scales, biases }: QuantizedRows, rows: number, columns: number, groupSize: number) {
  const groups: [number, number] = [rows, columns / groupSize];
  return {
    data: tf.tensor2d(words, [rows, words.length / rows], 'int32'),
    scales: tf.tensor2d(scales, groups),
    biases: tf.tensor2d(biases, groups),
  };
}

function finiteF32({ dtype, name }: TensorEntry, bytes: Uint8Array): Float32Array {
  const values = toF32(dtype, bytes)!;
  if (!Number.isFinite(maxAbs(values))) throw notFinite(name);
  return values;
}

function notFinite(name: string): NvlmError {
  return new NvlmError(
    'bad-model',
    `${name} holds values that are not finite numbers.`,
    'Get the checkpoint again; if it stays, the weights themselves are damaged.',
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
