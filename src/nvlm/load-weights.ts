import * as tf from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import type { LinearWeight } from '../ops/types.ts';
import { maxAbs, packHalves, toF16Bits, toF32 } from '../weights/dtype.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { streamTensors, type StreamProgress } from '../weights/stream.ts';
import type { NvlmConfig, VisionConfig } from './config.ts';
import { names, parameterSpecs, visionDummyHeads, type ParameterSpec } from './names.ts';
import { Weights } from './weights.ts';

export interface LoadWeightsOptions {
  /** Keep half-precision matrices packed (WebGPU computes with them); otherwise everything becomes f32. */
  keepHalves: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: StreamProgress) => void;
}

/** What the weights of `folder` would be, checked against the config before a byte of them is read. */
export interface WeightsPlan {
  specs: ParameterSpec[];
  dummyHeads: number;
}

const LISTED = 3;

/** @throws NvlmError `bad-model` that names the first missing tensors or wrong shapes. */
export function planWeights(folder: ModelFolder, config: NvlmConfig): WeightsPlan {
  const dummyHeads = visionDummyHeads(config, (name) => folder.tensors.get(name)?.shape);
  const specs = parameterSpecs(config, dummyHeads);
  const complaints: string[] = [];
  for (const spec of specs) {
    const entry = folder.tensors.get(spec.name);
    if (!entry) complaints.push(`${spec.name} is missing`);
    else if (!sameShape(entry.shape, spec.shape)) {
      complaints.push(`${spec.name} has shape [${entry.shape.join(', ')}] where config.json asks for [${spec.shape.join(', ')}]`);
    } else if (!FLOATS.has(entry.dtype)) {
      complaints.push(`${spec.name} has element type ${entry.dtype}`);
    }
  }
  if (complaints.length > 0) {
    const more = complaints.length > LISTED ? `; and ${complaints.length - LISTED} more` : '';
    throw new NvlmError(
      'bad-model',
      `The weights do not fit config.json: ${complaints.slice(0, LISTED).join('; ')}${more}.`,
      'Use a folder whose config.json and safetensors files belong together.',
    );
  }
  return { specs, dummyHeads };
}

const FLOATS = new Set(['F32', 'F16', 'BF16']);

/**
 * Streams the model's tensors to the device, one at a time. On any failure, what was already there is freed.
 *
 * @throws NvlmError `bad-model` (names, shapes, NaN), `network`, `corrupt-file`, `cancelled`
 */
export async function loadWeights(folder: ModelFolder, config: NvlmConfig, options: LoadWeightsOptions): Promise<Weights> {
  const { specs, dummyHeads } = planWeights(folder, config);
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const weights = new Weights();
  try {
    let collector: TensorCollector | null = null;
    for await (const { entry, offset, bytes, last } of streamTensors(folder, byName.keys(), options)) {
      const spec = byName.get(entry.name)!;
      collector ??= new TensorCollector(entry, options.keepHalves && spec.role !== 'vector' && entry.dtype !== 'F32');
      collector.add(offset, bytes);
      if (!last) continue;
      collector.trim(visionTrim(spec.name, config.vision, dummyHeads));
      place(weights, spec, collector);
      collector = null;
    }
    if (config.llm.tieWordEmbeddings) tieHead(weights, config);
    return weights;
  } catch (error) {
    weights.dispose();
    throw error;
  }
}

/** Gathers the pieces of one tensor as f32 values or half bits. */
class TensorCollector {
  values: Float32Array | Uint16Array;
  rows: number;
  columns: number;
  private readonly elementBytes: number;

  constructor(
    private readonly entry: TensorEntry,
    readonly isHalf: boolean,
  ) {
    const size = entry.shape.reduce((product, extent) => product * extent, 1);
    this.values = isHalf ? new Uint16Array(size) : new Float32Array(size);
    this.rows = entry.shape[0] ?? 1;
    this.columns = size / this.rows;
    this.elementBytes = (entry.end - entry.start) / size;
  }

  add(offset: number, bytes: Uint8Array): void {
    const { dtype, name } = this.entry;
    const piece = this.isHalf ? toF16Bits(dtype, bytes)! : toF32(dtype, bytes)!;
    if (piece instanceof Uint16Array ? hasBadHalf(piece) : !Number.isFinite(maxAbs(piece))) {
      throw new NvlmError(
        'bad-model',
        `${name} holds values that are not finite numbers.`,
        'Get the checkpoint again; if it stays, the weights themselves are damaged.',
      );
    }
    this.values.set(piece, offset / this.elementBytes);
  }

  /** Keeps rows and columns of the given spans only. */
  trim(spans: { rows?: readonly Span[]; columns?: readonly Span[] } | null): void {
    if (!spans) return;
    const rows = spans.rows ?? [[0, this.rows]];
    const columns = spans.columns ?? [[0, this.columns]];
    const length = (list: readonly Span[]) => list.reduce((sum, [from, to]) => sum + to - from, 0);
    const kept = this.isHalf
      ? new Uint16Array(length(rows) * length(columns))
      : new Float32Array(length(rows) * length(columns));
    let write = 0;
    for (const [firstRow, endRow] of rows) {
      for (let row = firstRow; row < endRow; row++) {
        for (const [from, to] of columns) {
          kept.set(this.values.subarray(row * this.columns + from, row * this.columns + to), write);
          write += to - from;
        }
      }
    }
    this.values = kept;
    this.rows = length(rows);
    this.columns = length(columns);
  }
}

type Span = readonly [from: number, to: number];

/** Which parts of a vision attention tensor are real when the checkpoint stores zero heads behind them. */
function visionTrim(name: string, vision: VisionConfig | null, dummyHeads: number): Parameters<TensorCollector['trim']>[0] {
  if (!vision || dummyHeads === 0 || !name.startsWith('vision_model.encoder.')) return null;
  const { hiddenSize, heads } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  if (name.includes('.attn.qkv.')) return { rows: [0, 1, 2].map((part) => [part * stored, part * stored + hiddenSize] as const) };
  if (name.includes('.attn.q_norm.') || name.includes('.attn.k_norm.')) return { rows: [[0, hiddenSize]] };
  if (name.endsWith('.attn.proj.weight')) return { columns: [[0, hiddenSize]] };
  return null;
}

function hasBadHalf(bits: Uint16Array): boolean {
  // An exponent of all ones is infinity or NaN, in f16 as after the conversion from bf16.
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7c00) === 0x7c00) return true;
  return false;
}

function place(weights: Weights, spec: ParameterSpec, { values, rows, columns }: TensorCollector): void {
  switch (spec.role) {
    case 'vector':
      weights.vectors.set(spec.name, tf.tensor1d(values as Float32Array));
      break;
    case 'linear':
      weights.linears.set(spec.name, linearWeight(values, rows, columns));
      break;
    case 'embedding': {
      const data =
        values instanceof Uint16Array
          ? tf.tensor2d(packHalves(values, rows, columns), [rows, Math.ceil(columns / 2)], 'int32')
          : tf.tensor2d(values, [rows, columns]);
      const kind = values instanceof Uint16Array ? 'f16' : 'f32';
      weights.embeddings.set(spec.name, { kind, vocab: rows, width: columns, data });
    }
  }
}

/** @param values [out, in] as checkpoints store it */
export function linearWeight(values: Float32Array | Uint16Array, outFeatures: number, inFeatures: number): LinearWeight {
  if (values instanceof Uint16Array) {
    const data = tf.tensor2d(packHalves(values, outFeatures, inFeatures), [outFeatures, Math.ceil(inFeatures / 2)], 'int32');
    return { kind: 'f16', inFeatures, outFeatures, data };
  }
  return { kind: 'f32', inFeatures, outFeatures, data: tf.tensor2d(transposed(values, outFeatures, inFeatures), [inFeatures, outFeatures]) };
}

/** A tied head reads the embedding table: the packed form is shared, the f32 form needs its transpose. */
function tieHead(weights: Weights, config: NvlmConfig): void {
  const { kind, vocab, width, data } = weights.embedding(names.embedTokens(config));
  const head: LinearWeight = { kind, inFeatures: width, outFeatures: vocab, data: kind === 'f16' ? data : tf.transpose(data) };
  weights.linears.set(`${names.lmHead(config)}.weight`, head);
}

/** Small squares at a time, so that both sides stay in the cache. */
const BLOCK = 32;

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row0 = 0; row0 < rows; row0 += BLOCK) {
    const rowEnd = Math.min(rows, row0 + BLOCK);
    for (let column0 = 0; column0 < columns; column0 += BLOCK) {
      const columnEnd = Math.min(columns, column0 + BLOCK);
      for (let row = row0; row < rowEnd; row++) {
        for (let column = column0; column < columnEnd; column++) out[column * rows + row] = values[row * columns + column]!;
      }
    }
  }
  return out;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}
