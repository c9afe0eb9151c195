import * as tf from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import type { AffineBits, AffineGroupSize } from '../ops/affine.ts';
import type { LinearWeight } from '../ops/types.ts';
import { packHalves } from '../weights/dtype.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { streamTensors, type StreamProgress } from '../weights/stream.ts';
import { isQuantizable, planWeights, type PlannedParameter } from './checkpoint-layout.ts';
import type { NvlmConfig, VisionConfig } from './config.ts';
import { names, type ParameterSpec } from './names.ts';
import { AffineSink, DenseSink, QuantizingSink, type ParameterSink, type ParameterValues } from './parameter-sinks.ts';
import { Weights } from './weights.ts';

export interface LoadWeightsOptions {
  /** Keep half-precision and quantised matrices packed (WebGPU computes with them); otherwise everything becomes f32. */
  keepHalves: boolean;
  /** Quantise the language model's matrices while they load; the vision encoder, connector, norms and biases stay as they are. */
  quantize?: QuantizeOptions;
  signal?: AbortSignal;
  onProgress?: (progress: StreamProgress) => void;
}

export interface QuantizeOptions {
  bits: AffineBits;
  groupSize: AffineGroupSize;
}

/**
 * Streams the model's tensors to the device, each as soon as it is complete. On any failure, what was already there is freed.
 *
 * @throws NvlmError `bad-model` (names, shapes, NaN), `usage` (quantising what is quantised), `network`, `corrupt-file`, `cancelled`
 */
export async function loadWeights(folder: ModelFolder, config: NvlmConfig, options: LoadWeightsOptions): Promise<Weights> {
  const { parameters, dummyHeads } = planWeights(folder, config);
  if (options.quantize) refuseQuantized(parameters);
  const wanted = new Map<string, { parameter: PlannedParameter; source: TensorEntry }>();
  for (const parameter of parameters) {
    for (const source of sourcesOf(parameter)) wanted.set(source.name, { parameter, source });
  }
  const weights = new Weights();
  const open = new Map<PlannedParameter, { sink: ParameterSink; left: number }>();
  try {
    for await (const { entry, offset, bytes, last } of streamTensors(folder, wanted.keys(), options)) {
      const { parameter, source } = wanted.get(entry.name)!;
      let state = open.get(parameter);
      if (!state) open.set(parameter, (state = { sink: sinkFor(parameter, config, options), left: sourcesOf(parameter).length }));
      state.sink.add(source, offset, bytes);
      if (last) state.left--;
      if (state.left > 0) continue;
      open.delete(parameter);
      const { spec } = parameter;
      place(weights, spec, trimmed(state.sink.finish(), visionTrim(spec.name, config.vision, dummyHeads)));
    }
    if (config.llm.tieWordEmbeddings) tieHead(weights, config);
    return weights;
  } catch (error) {
    for (const { sink } of open.values()) sink.dispose();
    weights.dispose();
    throw error;
  }
}

function sourcesOf({ sources, affine }: PlannedParameter): TensorEntry[] {
  return affine ? [...sources, affine.scales, affine.biases] : sources;
}

function refuseQuantized(parameters: readonly PlannedParameter[]): void {
  const packed = parameters.find(({ affine }) => affine);
  if (!packed) return;
  throw new NvlmError(
    'usage',
    `This checkpoint is quantised already, to ${packed.affine!.bits} bits.`,
    'Leave quantising out, or take the f32, f16 or bf16 checkpoint.',
  );
}

function sinkFor(parameter: PlannedParameter, config: NvlmConfig, { keepHalves, quantize }: LoadWeightsOptions): ParameterSink {
  const { spec, sources, affine } = parameter;
  if (affine) return new AffineSink({ ...parameter, affine }, keepHalves);
  if (quantize && sources.length === 1 && isQuantizable(spec, config, quantize.groupSize)) {
    return new QuantizingSink(sources[0]!, quantize, keepHalves);
  }
  return new DenseSink(sources, keepHalves && spec.role !== 'vector');
}

type Span = readonly [from: number, to: number];
type Trim = { rows?: readonly Span[]; columns?: readonly Span[] } | null;

/** Which parts of a vision attention tensor are real when the checkpoint stores zero heads behind them. */
function visionTrim(name: string, vision: VisionConfig | null, dummyHeads: number): Trim {
  if (!vision || dummyHeads === 0 || !name.startsWith('vision_model.encoder.')) return null;
  const { hiddenSize, heads } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  if (name.includes('.attn.qkv.')) return { rows: [0, 1, 2].map((part) => [part * stored, part * stored + hiddenSize] as const) };
  if (name.includes('.attn.q_norm.') || name.includes('.attn.k_norm.')) return { rows: [[0, hiddenSize]] };
  if (name.endsWith('.attn.proj.weight')) return { columns: [[0, hiddenSize]] };
  return null;
}

/** Keeps rows and columns of the given spans only. */
function trimmed(parameter: ParameterValues, trim: Trim): ParameterValues {
  if (!trim || parameter.kind === 'affine') return parameter;
  const rows = trim.rows ?? [[0, parameter.rows]];
  const columns = trim.columns ?? [[0, parameter.columns]];
  const length = (list: readonly Span[]) => list.reduce((sum, [from, to]) => sum + to - from, 0);
  const size = { rows: length(rows), columns: length(columns) };
  const copy = <T extends Float32Array | Uint16Array>(from: T, to: T): T => {
    let write = 0;
    for (const [firstRow, endRow] of rows) {
      for (let row = firstRow; row < endRow; row++) {
        for (const [start, end] of columns) {
          to.set(from.subarray(row * parameter.columns + start, row * parameter.columns + end), write);
          write += end - start;
        }
      }
    }
    return to;
  };
  return parameter.kind === 'f32'
    ? { kind: 'f32', ...size, values: copy(parameter.values, new Float32Array(size.rows * size.columns)) }
    : { kind: 'f16', ...size, bits: copy(parameter.bits, new Uint16Array(size.rows * size.columns)) };
}

function place(weights: Weights, spec: ParameterSpec, values: ParameterValues): void {
  if (spec.role === 'vector') {
    if (values.kind !== 'f32') throw new Error(`${spec.name} is a vector and must be f32.`);
    weights.vectors.set(spec.name, tf.tensor1d(values.values));
  } else if (spec.role === 'linear') {
    weights.linears.set(spec.name, linearWeight(values));
  } else {
    const { rows: vocab, columns: width } = values;
    if (values.kind === 'affine') weights.embeddings.set(spec.name, { ...values, vocab, width });
    else if (values.kind === 'f16') weights.embeddings.set(spec.name, { kind: 'f16', vocab, width, data: halvesTensor(values) });
    else weights.embeddings.set(spec.name, { kind: 'f32', vocab, width, data: tf.tensor2d(values.values, [vocab, width]) });
  }
}

/** @param values [out, in] as checkpoints store it */
function linearWeight(values: ParameterValues): LinearWeight {
  const { rows: outFeatures, columns: inFeatures } = values;
  if (values.kind === 'affine') return { ...values, inFeatures, outFeatures };
  if (values.kind === 'f16') return { kind: 'f16', inFeatures, outFeatures, data: halvesTensor(values) };
  const data = tf.tensor2d(transposed(values.values, outFeatures, inFeatures), [inFeatures, outFeatures]);
  return { kind: 'f32', inFeatures, outFeatures, data };
}

function halvesTensor({ bits, rows, columns }: Extract<ParameterValues, { kind: 'f16' }>): tf.Tensor2D {
  return tf.tensor2d(packHalves(bits, rows, columns), [rows, Math.ceil(columns / 2)], 'int32');
}

/** A tied head reads the embedding table: the packed forms are shared, the f32 form needs its transpose. */
function tieHead(weights: Weights, config: NvlmConfig): void {
  const table = weights.embedding(names.embedTokens(config));
  const { vocab: outFeatures, width: inFeatures } = table;
  const head: LinearWeight =
    table.kind === 'f32'
      ? { kind: 'f32', inFeatures, outFeatures, data: tf.transpose(table.data) }
      : { ...table, inFeatures, outFeatures };
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
