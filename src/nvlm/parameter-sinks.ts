import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { halvesOf, releaseHalves } from './half-floats.ts';
import { allocateTensor, hostMemory, writeTensor } from '../device/tensor-memory.ts';
import { NvlmError } from '../errors.ts';
import { sidesOf, unpackAffine, type AffineBits } from '../ops/affine.ts';
import { fitHalves, pairSides } from '../ops/pair-sides.ts';
import type { AffineTensors } from '../ops/types.ts';
import { DTYPE_BYTES, maxAbs, toF32 } from '../weights/dtype.ts';
import { quantizedRows, quantizeGroups } from '../weights/quantize.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { areSidesHalves, type PlannedParameter } from './checkpoint-layout.ts';
import { halfRows, type MatrixTarget } from './matrix-targets.ts';

/** A parameter on the device. An f32 matrix lies as its target laid it; the packed forms are [rows, columns] as in the file. */
export type HeldParameter =
  | { kind: 'vector'; data: Tensor1D }
  | { kind: 'f32' | 'f16'; rows: number; columns: number; data: Tensor2D }
  | ({ kind: 'affine'; rows: number; columns: number } & AffineTensors)
  | { kind: 'parts'; rows: number; columns: number; parts: HeldParameter[] };

/**
 * Takes the pieces of one parameter, from one or several file tensors, and brings each to the device at once: on the host
 * there is never more of a parameter than one piece.
 */
export interface ParameterSink {
  /** @throws NvlmError `bad-model` for values that are not finite */
  add(source: TensorEntry, offset: number, bytes: Uint8Array): void;
  /** After the last piece. What is on the device then belongs to the caller; null when it must be read again as f32. */
  finish(): HeldParameter | null;
  /** Frees what is on the device already, when loading fails half-way. */
  dispose(): void;
}

/** Makes the target of an f32 matrix: straight for a table, turned round for a linear. */
export type FloatTarget = (rows: number, columns: number) => MatrixTarget<Float32Array>;

/** Norms, biases, embeddings of positions: f32, flat. */
export class VectorSink implements ParameterSink {
  private readonly tensor: Tensor1D;

  constructor(
    private readonly sources: readonly TensorEntry[],
    private readonly trim: Trim,
  ) {
    this.tensor = allocateTensor<tf.Rank.R1>([keptRows(totalRows(sources), trim) * columnsOf(sources)], 'float32');
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    const values = finiteF32(source, bytes);
    const first = firstValue(source, offset) + rowsBefore(source, this.sources) * columnsOf(this.sources);
    if (!this.trim) return writeTensor(this.tensor, first, values);
    for (const { from, to, at } of runs(first, first + values.length, this.trim)) {
      writeTensor(this.tensor, at, values.subarray(from, to));
    }
  }

  finish(): HeldParameter {
    return { kind: 'vector', data: this.tensor };
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

type Span = readonly [from: number, to: number];
/** Rows to keep, in ascending order, and how many columns from the first on; null keeps all. */
export type Trim = { rows?: readonly Span[]; columns?: number } | null;

/** The parts of rows [first, end) that are kept: where they are counted from `first`, and which row they become. */
function* runs(first: number, end: number, trim: Trim): Generator<{ from: number; to: number; at: number }> {
  let kept = 0;
  for (const [start, stop] of trim?.rows ?? [[0, Infinity] as const]) {
    const from = Math.max(first, start);
    const to = Math.min(end, stop);
    if (from < to) yield { from: from - first, to: to - first, at: kept + from - start };
    kept += stop - start;
  }
}

/** A float matrix as f32, or as halves; bf16 becomes f16. */
export class DenseSink implements ParameterSink {
  private readonly rows: number;
  private readonly columns: number;
  private readonly keptColumns: number;
  private readonly target: { kind: 'f32'; to: MatrixTarget<Float32Array> } | { kind: 'f16'; to: MatrixTarget<Uint16Array> };
  private tooWide = false;

  /** @param asHalves hold half-precision values as halves; only where all of `sources` have one element type */
  constructor(
    private readonly sources: readonly TensorEntry[],
    private readonly trim: Trim,
    asHalves: boolean,
    floats: FloatTarget,
  ) {
    this.columns = columnsOf(sources);
    this.rows = keptRows(totalRows(sources), trim);
    this.keptColumns = trim?.columns ?? this.columns;
    const [first] = sources;
    const isHalf = asHalves && first!.dtype !== 'F32' && sources.every(({ dtype }) => dtype === first!.dtype);
    const size = [this.rows, this.keptColumns] as const;
    this.target = isHalf ? { kind: 'f16', to: halfRows(...size) } : { kind: 'f32', to: floats(...size) };
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    if (this.tooWide) return;
    const before = rowsBefore(source, this.sources);
    if (this.target.kind === 'f32') {
      this.write(this.target.to, source, before, offset, finiteF32(source, bytes));
      return;
    }
    const { halves, found } = halvesOf(source.dtype as 'BF16' | 'F16', bytes);
    if (found === 'not finite') throw notFinite(source.name);
    // bf16 reaches further than f16: a matrix with such a value has to stay f32 rather than become infinite.
    if (found === 'too large') this.giveUp();
    else this.write(this.target.to, source, before, offset, halves);
  }

  finish(): HeldParameter | null {
    if (this.tooWide) return null;
    return { kind: this.target.kind, rows: this.rows, columns: this.keptColumns, data: this.target.to.finish() };
  }

  dispose(): void {
    if (!this.tooWide) this.target.to.dispose();
  }

  private giveUp(): void {
    this.tooWide = true;
    this.target.to.dispose();
  }

  private write<V extends Float32Array | Uint16Array>(
    to: MatrixTarget<V>,
    source: TensorEntry,
    before: number,
    offset: number,
    values: V,
  ): void {
    const { columns, keptColumns } = this;
    const first = before + wholeRows(source, firstValue(source, offset), columns);
    const count = wholeRows(source, values.length, columns);
    for (const { from, to: end, at } of runs(first, first + count, this.trim)) {
      const part = values.subarray(from * columns, end * columns) as V;
      to.write(at, keptColumns === columns ? part : cutColumns(part, columns, keptColumns));
    }
  }
}

function cutColumns<V extends Float32Array | Uint16Array>(values: V, columns: number, kept: number): V {
  const rows = values.length / columns;
  const out = values.slice(0, rows * kept) as V;
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * columns, row * columns + kept), row * kept);
  return out;
}

/** As pieces of a file are written. */
type FloatSidedTensors = Extract<AffineTensors, { scales: Tensor2D }>;

/** Packs a float matrix as its rows arrive, so that it is never held unpacked; or shows the loss as f32. */
export class QuantizingSink implements ParameterSink {
  private readonly rows: number;
  private readonly columns: number;
  private readonly packed: FloatSidedTensors | null;
  private readonly floats: MatrixTarget<Float32Array> | null;

  /** @param floats null keeps the matrix packed */
  constructor(
    source: TensorEntry,
    private readonly layout: Pick<AffineTensors, 'bits' | 'groupSize'>,
    floats: FloatTarget | null,
  ) {
    [this.rows, this.columns] = source.shape as [number, number];
    this.packed = floats ? null : affineTensors(this.rows, this.columns, layout);
    this.floats = floats && floats(this.rows, this.columns);
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    const { bits, groupSize } = this.layout;
    const values = finiteF32(source, bytes);
    const first = wholeRows(source, firstValue(source, offset), this.columns);
    const rows = quantizedRows(wholeRows(source, values.length, this.columns), this.columns, bits, groupSize);
    quantizeGroups(values, bits, groupSize, rows, 0);
    this.floats?.write(first, unpackAffine(rows, bits, groupSize));
    if (!this.packed) return;
    writeTensor(this.packed.data, (first * this.columns * bits) / 32, rows.words);
    writeTensor(this.packed.scales, (first * this.columns) / groupSize, rows.scales);
    writeTensor(this.packed.biases, (first * this.columns) / groupSize, rows.biases);
  }

  finish(): HeldParameter {
    const { rows, columns } = this;
    if (this.packed) return { kind: 'affine', rows, columns, ...this.packed };
    return { kind: 'f32', rows, columns, data: this.floats!.finish() };
  }

  dispose(): void {
    if (this.packed) disposeAffine(this.packed);
    this.floats?.dispose();
  }
}

/**
 * A matrix that the checkpoint holds quantised. Words, scales and biases often lie far apart in the file, so they go to the
 * device as they are, and are unpacked there when all have come.
 */
export class AffineSink implements ParameterSink {
  private readonly tensors: FloatSidedTensors;
  /** Scales and biases are halves so far, and the device's programs read them as such. */
  private halves: boolean;

  /** @param floats null keeps the matrix packed, as does a device whose memory the host cannot read */
  constructor(
    private readonly parameter: PlannedParameter & { affine: NonNullable<PlannedParameter['affine']> },
    private readonly floats: FloatTarget | null,
  ) {
    const [rows, columns] = parameter.spec.shape as [number, number];
    this.tensors = affineTensors(rows, columns, parameter.affine);
    this.halves = tf.getBackend() === 'webgpu' && areSidesHalves(parameter.affine);
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    const { scales, biases } = this.parameter.affine;
    if (source === scales || source === biases) {
      const values = finiteF32(source, bytes);
      this.halves &&= fitHalves(values);
      writeTensor(source === scales ? this.tensors.scales : this.tensors.biases, firstValue(source, offset), values);
    } else {
      const words = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
      writeTensor(this.tensors.data, offset / 4, new Int32Array(words.buffer, words.byteOffset, words.byteLength / 4));
    }
  }

  finish(): HeldParameter {
    const { bits, groupSize } = this.parameter.affine;
    const [rows, columns] = this.parameter.spec.shape as [number, number];
    if (!this.floats || !hostMemory(this.tensors.data)) {
      return { kind: 'affine', rows, columns, ...(this.halves ? withPairs(this.tensors) : this.tensors) };
    }
    const target = this.floats(rows, columns);
    const step = Math.max(1, Math.floor(VALUES_AT_ONCE / columns));
    for (let row = 0; row < rows; row += step) {
      const end = Math.min(rows, row + step);
      const part = (tensor: Tensor, perValue: number) => hostMemory(tensor)!.subarray(row * columns * perValue, end * columns * perValue);
      const matrix = {
        words: part(this.tensors.data, bits / 32),
        scales: part(this.tensors.scales, 1 / groupSize),
        biases: part(this.tensors.biases, 1 / groupSize),
      };
      target.write(row, unpackAffine(matrix, bits, groupSize));
    }
    disposeAffine(this.tensors);
    return { kind: 'f32', rows, columns, data: target.finish() };
  }

  dispose(): void {
    disposeAffine(this.tensors);
  }
}

/**
 * A matrix that would be larger than one tensor can be, cut between rows: each part has a sink of its own, as if it were a tensor of the
 * file.
 */
export class SplitSink implements ParameterSink {
  private readonly parts: { sink: ParameterSink; first: number; end: number; sources: Map<TensorEntry, TensorEntry> }[] = [];

  /** @param makeSink of a parameter with some of the rows */
  constructor(
    private readonly parameter: PlannedParameter,
    rowsAtOnce: number,
    makeSink: (part: PlannedParameter) => ParameterSink,
  ) {
    const { spec, sources, affine } = parameter;
    const [rows, columns] = spec.shape as [number, number];
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const end = Math.min(rows, first + rowsAtOnce);
      const entries = new Map<TensorEntry, TensorEntry>();
      const cut = (source: TensorEntry): TensorEntry => {
        const perRow = bytesPerRow(source);
        const part = { ...source, shape: [end - first, ...source.shape.slice(1)], start: 0, end: (end - first) * perRow };
        entries.set(source, part);
        return part;
      };
      const part = {
        ...parameter,
        spec: { ...spec, shape: [end - first, columns] },
        sources: sources.map(cut),
        affine: affine && { ...affine, scales: cut(affine.scales), biases: cut(affine.biases) },
      };
      this.parts.push({ sink: makeSink(part), first, end, sources: entries });
    }
  }

  add(source: TensorEntry, offset: number, bytes: Uint8Array): void {
    const perRow = bytesPerRow(source);
    for (const { sink, first, end, sources } of this.parts) {
      const from = Math.max(offset, first * perRow);
      const to = Math.min(offset + bytes.byteLength, end * perRow);
      if (from < to) sink.add(sources.get(source)!, from - first * perRow, bytes.subarray(from - offset, to - offset));
    }
  }

  finish(): HeldParameter | null {
    const held = this.parts.map(({ sink }) => sink.finish());
    const [rows, columns] = this.parameter.spec.shape as [number, number];
    const parts = held.filter((part) => part !== null);
    if (parts.length === held.length) return { kind: 'parts', rows, columns, parts };
    for (const part of parts) disposeHeld(part);
    return null;
  }

  dispose(): void {
    for (const { sink } of this.parts) sink.dispose();
  }
}

function disposeHeld(held: HeldParameter): void {
  if (held.kind === 'parts') for (const part of held.parts) disposeHeld(part);
  else if (held.kind === 'affine') disposeAffine(held);
  else held.data.dispose();
}

function bytesPerRow({ shape, start, end }: TensorEntry): number {
  return (end - start) / shape[0]!;
}

const VALUES_AT_ONCE = 2 ** 18;

function affineTensors(rows: number, columns: number, layout: { bits: AffineBits; groupSize: number }): FloatSidedTensors {
  const { bits, groupSize } = layout;
  const groups: [number, number] = [rows, columns / groupSize];
  return {
    bits,
    groupSize,
    data: allocateTensor<tf.Rank.R2>([rows, (columns * bits) / 32], 'int32'),
    scales: allocateTensor<tf.Rank.R2>(groups, 'float32'),
    biases: allocateTensor<tf.Rank.R2>(groups, 'float32'),
  };
}

/** The same with scales and biases in pairs of halves. */
function withPairs({ scales, biases, ...words }: FloatSidedTensors): AffineTensors {
  const pairs = pairSides(scales, biases);
  for (const tensor of [scales, biases]) tensor.dispose();
  return { ...words, pairs };
}

function disposeAffine(tensors: AffineTensors): void {
  for (const tensor of [tensors.data, ...Object.values<Tensor2D>(sidesOf(tensors))]) tensor.dispose();
}

/**
 * Room for the values of one piece, used again for the next, which they are copied out of at once: otherwise the garbage of a large
 * model's pieces would be several times the pieces themselves before it is collected.
 */
let scratch = new Float32Array(0);

function floatsOf(count: number): Float32Array {
  if (scratch.length < count) scratch = new Float32Array(count);
  return scratch.subarray(0, count);
}

/** Gives the memory back that pieces of a model went through. */
export function releaseScratch(): void {
  scratch = new Float32Array(0);
  releaseHalves();
}

/** Valid until the next call. */
function finiteF32({ dtype, name }: TensorEntry, bytes: Uint8Array): Float32Array {
  const values = toF32(dtype, bytes, floatsOf(bytes.byteLength / DTYPE_BYTES[dtype]))!;
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

/** Which value of the tensor the byte at `offset` begins. */
function firstValue({ shape, start, end }: TensorEntry, offset: number): number {
  return (offset * sizeOf(shape)) / (end - start);
}

/** Pieces of a matrix are whole rows as long as a row is smaller than a piece, and no model has wider ones. */
function wholeRows({ name }: TensorEntry, values: number, columns: number): number {
  if (values % columns !== 0) throw new Error(`A piece of ${name} is not whole rows.`);
  return values / columns;
}

function rowsBefore(source: TensorEntry, sources: readonly TensorEntry[]): number {
  return totalRows(sources.slice(0, sources.indexOf(source)));
}

function totalRows(sources: readonly TensorEntry[]): number {
  return sources.reduce((sum, { shape }) => sum + (shape[0] ?? 1), 0);
}

function columnsOf(sources: readonly TensorEntry[]): number {
  return sizeOf(sources[0]!.shape.slice(1));
}

function keptRows(rows: number, trim: Trim): number {
  return trim?.rows ? trim.rows.reduce((sum, [from, to]) => sum + to - from, 0) : rows;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
