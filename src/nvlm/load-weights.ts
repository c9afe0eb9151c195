import * as tf from '@tensorflow/tfjs';
import { largestTensorBytes, settleWrites } from '../device/tensor-memory.ts';
import { NvlmError } from '../errors.ts';
import type { AffineBits, AffineGroupSize } from '../ops/affine.ts';
import type { EmbeddingTable, LinearWeight, PlainTable, PlainWeight } from '../ops/types.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { streamTensors, type StreamProgress } from '../weights/stream.ts';
import { isQuantizable, planWeights, type PlannedParameter } from './checkpoint-layout.ts';
import type { NvlmConfig, VisionConfig } from './config.ts';
import { floatColumns, floatRows } from './matrix-targets.ts';
import { isSplittable, parameterBytes } from './memory-need.ts';
import { names, partOf, type ParameterSpec } from './names.ts';
import {
  AffineSink,
  DenseSink,
  QuantizingSink,
  SplitSink,
  VectorSink,
  releaseScratch,
  type HeldParameter,
  type ParameterSink,
  type Trim,
} from './parameter-sinks.ts';
import { Weights } from './weights.ts';

export interface LoadWeightsOptions {
  /** Keep half-precision and quantised matrices packed, where the device computes with them; otherwise everything becomes f32. */
  keepHalves: boolean;
  /** Quantise the language model's matrices while they load; the vision encoder, connector, norms and biases stay as they are. */
  quantize?: QuantizeOptions;
  /** Bytes of one tensor, at most: larger matrices are held in parts. Default: what the device binds at once. */
  largestTensor?: number;
  signal?: AbortSignal;
  onProgress?: (progress: StreamProgress) => void;
}

export interface QuantizeOptions {
  bits: AffineBits;
  groupSize: AffineGroupSize;
}

/**
 * Streams the model's tensors to the device, piece by piece. On any failure, what was already there is freed.
 *
 * @throws NvlmError `bad-model` (names, shapes, NaN), `usage` (quantising what is quantised), `network`, `corrupt-file`, `cancelled`
 */
export async function loadWeights(folder: ModelFolder, config: NvlmConfig, options: LoadWeightsOptions): Promise<Weights> {
  const { parameters, dummyHeads } = planWeights(folder, config);
  if (options.quantize) refuseQuantized(parameters);
  const weights = new Weights();
  try {
    const tooWide = await stream(folder, parameters, weights, (parameter) => sinkFor(parameter, config, dummyHeads, options), options);
    if (tooWide.length > 0) {
      const { signal } = options;
      const asFloats = { keepHalves: false, largestTensor: options.largestTensor };
      await stream(folder, tooWide, weights, (parameter) => sinkFor(parameter, config, dummyHeads, asFloats), { signal });
    }
    if (config.llm.tieWordEmbeddings) tieHead(weights, config);
    return weights;
  } catch (error) {
    weights.dispose();
    throw error;
  } finally {
    releaseScratch();
  }
}

/** @returns parameters that halves cannot hold, which are not in `weights` */
async function stream(
  folder: ModelFolder,
  parameters: readonly PlannedParameter[],
  weights: Weights,
  makeSink: (parameter: PlannedParameter) => ParameterSink,
  options: Pick<LoadWeightsOptions, 'signal' | 'onProgress'>,
): Promise<PlannedParameter[]> {
  const wanted = new Map<string, { parameter: PlannedParameter; source: TensorEntry }>();
  for (const parameter of parameters) {
    for (const source of sourcesOf(parameter)) wanted.set(source.name, { parameter, source });
  }
  const tooWide: PlannedParameter[] = [];
  const open = new Map<PlannedParameter, { sink: ParameterSink; left: number }>();
  try {
    for await (const { entry, offset, bytes, last } of streamTensors(folder, wanted.keys(), options)) {
      const { parameter, source } = wanted.get(entry.name)!;
      let state = open.get(parameter);
      if (!state) open.set(parameter, (state = { sink: makeSink(parameter), left: sourcesOf(parameter).length }));
      state.sink.add(source, offset, bytes);
      await settleWrites();
      if (last) state.left--;
      if (state.left > 0) continue;
      const held = state.sink.finish();
      open.delete(parameter);
      if (held) place(weights, parameter.spec, held);
      else tooWide.push(parameter);
    }
    return tooWide;
  } catch (error) {
    for (const { sink } of open.values()) sink.dispose();
    throw error;
  }
}

/** The tensors of the file that a parameter is made of. */
export function sourcesOf({ sources, affine }: PlannedParameter): TensorEntry[] {
  return affine ? [...sources, affine.scales, affine.biases] : sources;
}

/** @throws NvlmError `usage` when there is nothing to quantise any more */
export function refuseQuantized(parameters: readonly PlannedParameter[]): void {
  const packed = parameters.find(({ affine }) => affine);
  if (!packed) return;
  throw new NvlmError(
    'usage',
    `This checkpoint is quantised already, to ${packed.affine!.bits} bits.`,
    'Leave quantising out, or take the f32, f16 or bf16 checkpoint.',
  );
}

/** How a parameter is to be held, ready to take its pieces. */
export function sinkFor(
  parameter: PlannedParameter,
  config: NvlmConfig,
  dummyHeads: number,
  options: Pick<LoadWeightsOptions, 'keepHalves' | 'quantize' | 'largestTensor'>,
): ParameterSink {
  const { keepHalves, quantize, largestTensor = largestTensorBytes() } = options;
  const { spec, sources, affine } = parameter;
  const { largest } = parameterBytes(parameter, config, dummyHeads, options);
  if (largest > largestTensor && isSplittable(parameter)) {
    const rows = Math.max(1, Math.floor(largestTensor / (largest / spec.shape[0]!)));
    return new SplitSink(parameter, rows, (part) => sinkFor(part, config, dummyHeads, { ...options, largestTensor: Infinity }));
  }
  const floats = spec.role === 'linear' ? floatColumns : floatRows;
  if (affine) return new AffineSink({ ...parameter, affine }, keepHalves ? null : floats);
  if (quantize && sources.length === 1 && isQuantizable(spec, quantize.groupSize)) {
    return new QuantizingSink(sources[0]!, quantize, keepHalves ? null : floats);
  }
  const trim = visionTrim(spec.name, config.vision, dummyHeads);
  return spec.role === 'vector' ? new VectorSink(sources, trim) : new DenseSink(sources, trim, keepHalves, floats);
}

/** Which parts of a vision attention tensor are real when the checkpoint stores zero heads behind them. */
function visionTrim(name: string, vision: VisionConfig | null, dummyHeads: number): Trim {
  if (!vision || dummyHeads === 0 || partOf(name) !== 'vision_encoder') return null;
  const { hiddenSize, heads } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  if (name.includes('.attn.qkv.')) return { rows: [0, 1, 2].map((part) => [part * stored, part * stored + hiddenSize] as const) };
  if (name.includes('.attn.q_norm.') || name.includes('.attn.k_norm.')) return { rows: [[0, hiddenSize]] };
  if (name.endsWith('.attn.proj.weight')) return { columns: hiddenSize };
  return null;
}

/** Puts a finished parameter where the model looks for it. */
export function place(weights: Weights, { name, role }: ParameterSpec, held: HeldParameter): void {
  if (held.kind === 'vector') {
    weights.vectors.set(name, held.data);
    return;
  }
  if (role === 'linear') weights.linears.set(name, linearOf(held));
  else weights.embeddings.set(name, tableOf(held));
}

type HeldMatrix = Exclude<HeldParameter, { kind: 'vector' }>;

function linearOf({ rows: outFeatures, columns: inFeatures, ...held }: HeldMatrix): LinearWeight {
  if (held.kind !== 'parts') return { ...held, outFeatures, inFeatures } as PlainWeight;
  return { kind: 'parts', outFeatures, inFeatures, parts: held.parts.map((part) => linearOf(part as HeldMatrix) as PlainWeight) };
}

function tableOf({ rows: vocab, columns: width, ...held }: HeldMatrix): EmbeddingTable {
  if (held.kind !== 'parts') return { ...held, vocab, width } as PlainTable;
  return { kind: 'parts', vocab, width, parts: held.parts.map((part) => tableOf(part as HeldMatrix) as PlainTable) };
}

/** A tied head reads the embedding table: the packed forms are shared, the f32 form needs its transpose. */
function tieHead(weights: Weights, config: NvlmConfig): void {
  const table = weights.embedding(names.embedTokens(config));
  const { vocab: outFeatures, width: inFeatures } = table;
  const head: LinearWeight =
    table.kind === 'parts' ? { kind: 'parts', inFeatures, outFeatures, parts: table.parts.map(headOf) } : headOf(table);
  weights.linears.set(`${names.lmHead(config)}.weight`, head);
}

function headOf(table: PlainTable): PlainWeight {
  const { vocab: outFeatures, width: inFeatures } = table;
  if (table.kind === 'f32') return { kind: 'f32', inFeatures, outFeatures, data: tf.transpose(table.data) };
  return { ...table, inFeatures, outFeatures };
}
