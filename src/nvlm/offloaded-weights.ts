import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { deviceBytes, releaseUnused } from '../device/tensor-memory.ts';
import { hasOwnKernels } from '../device/wasm-kernels.ts';
import { hasRoom } from '../device/wasm-memory.ts';
import { NvlmError } from '../errors.ts';
import { linear } from '../ops/linear/linear.ts';
import { plus } from '../ops/plus.ts';
import type { EmbeddingTable, LinearWeight } from '../ops/types.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { planWeights, type PlannedParameter } from './checkpoint-layout.ts';
import type { NvlmConfig } from './config.ts';
import { place, refuseQuantized, sinkFor, sourcesOf, type LoadWeightsOptions } from './load-weights.ts';
import { activationBytes, parameterBytes } from './memory-need.ts';
import { names } from './names.ts';
import { tensorsOf, Weights, type Applied, type LinearSize } from './weights.ts';

export interface OffloadOptions {
  /** Bytes on the device that weights, cache and activations together may take; on wasm, its memory as a whole. */
  budgetBytes: number;
}

type ReadNow = NonNullable<ModelFolder['files']['readNow']>;

const PIECE_BYTES = 2 ** 20;
const LINEARS_OF_A_LAYER = 11;
/** Share of wasm's memory that lies in gaps too small for what is wanted: it never shrinks, and nothing in it can be moved. */
const GAPS = 1 / 3;
/** Shares of the budget: a matrix of more than the first is applied in blocks of the second. */
const LARGE = 1 / 8;
const BLOCK = 1 / 32;

/**
 * Weights that stay on disk and are on the device only while there is room, so that a model larger than the device runs, at
 * the speed of the disk. What is asked for is read at that moment; what was not used for longest makes way.
 *
 * The forward pass asks for layers 0 1 2 3 4 5, then 0 1 2 … again for the next token. With room for four and the longest unused making
 * way, layer 0 is dropped for 4 just before it is wanted, and so on: every layer is read anew for every token. So what comes first stays,
 * up to half of the budget, and the rest takes turns:
 *
 *     asked for    0 1 2 3 4 5   0 1 2 3 4 5
 *     read         0 1 2 3 4 5       2 3 4 5      0 and 1 stay
 *
 * Tables are read by the rows asked for, and matrices too large for the room in blocks of rows.
 */
export class OffloadedWeights extends Weights {
  override readonly stays = false;
  private readonly parameters: Map<string, PlannedParameter>;
  private readonly dummyHeads: number;
  private readonly readNow: ReadNow;
  /** Matrices on the device, the longest unused first. */
  private readonly resident = new Set<string>();
  private readonly staying = new Set<string>();
  private stayingBytes = 0;
  /** What weights, cache and activations may take of the budget that was given. */
  private readonly budgetBytes: number;
  /** What the activations of the layer that runs will take. */
  private work = 0;
  /** What was on the device besides weights at the latest linears. */
  private others: number[] = [];

  /** @throws NvlmError `bad-model`, `usage` where the model does not lie on a disk */
  constructor(
    folder: ModelFolder,
    private readonly config: NvlmConfig,
    private readonly options: Pick<LoadWeightsOptions, 'keepHalves' | 'quantize'>,
    private readonly given: OffloadOptions,
  ) {
    super();
    this.budgetBytes = given.budgetBytes * (tf.getBackend() === 'wasm' ? 1 - GAPS : 1);
    const { readNow } = folder.files;
    if (!readNow) {
      throw new NvlmError('usage', 'Offloading reads weights from a folder on disk.', 'Download the model first, and name its folder.');
    }
    this.readNow = readNow;
    const { parameters, dummyHeads } = planWeights(folder, config);
    if (options.quantize) refuseQuantized(parameters);
    this.dummyHeads = dummyHeads;
    this.parameters = new Map(parameters.map((parameter) => [parameter.spec.name, parameter]));
    if (config.llm.tieWordEmbeddings) {
      const table = this.parameters.get(names.embedTokens(config))!;
      const name = `${names.lmHead(config)}.weight`;
      this.parameters.set(name, { ...table, spec: { ...table.spec, name, role: 'linear' } });
    }
  }

  override linear(name: string): LinearWeight {
    const key = `${name}.weight`;
    if (!this.linears.has(key)) {
      this.bring(this.parameter(key));
      this.resident.add(key);
      this.keepEarly(key);
    } else if (this.resident.delete(key)) this.resident.add(key);
    return super.linear(name);
  }

  override linearSize(name: string): LinearSize | null {
    const spec = this.parameters.get(`${name}.weight`)?.spec;
    if (!spec || spec.role === 'vector' || spec.shape.length !== 2) return null;
    const [outFeatures, inFeatures] = spec.shape as [number, number];
    return { inFeatures, outFeatures };
  }

  override bias(name: string): Tensor1D | null {
    return this.parameters.has(`${name}.bias`) ? this.vector(`${name}.bias`) : null;
  }

  /** Norms and biases are small: they stay. */
  override vector(name: string): Tensor1D {
    if (!this.vectors.has(name)) this.bring(this.parameter(name));
    return super.vector(name);
  }

  override apply(name: string, x: Tensor2D): Tensor2D {
    this.work = this.workOf(name, x.shape[0]);
    this.others = [...this.others, this.otherBytes].slice(-LINEARS_OF_A_LAYER);
    // Before the matrix, which it might otherwise drive out again.
    const bias = this.bias(name);
    const parameter = this.parameter(`${name}.weight`);
    const bytes = this.bytesOf(parameter);
    const { budgetBytes } = this;
    if (bytes <= LARGE * budgetBytes) return linear(x, this.linear(name), bias);
    return tf.tidy(() => {
      const rows = parameter.spec.shape[0]!;
      const step = Math.max(1, Math.floor((rows * BLOCK * budgetBytes) / bytes));
      const parts: Tensor2D[] = [];
      for (let row = 0; row < rows; row += step) {
        const count = Math.min(step, rows - row);
        const part = this.part(parameter, count, (perRow) => [{ from: row * perRow, to: (row + count) * perRow }]);
        parts.push(linear(x, part.linears.values().next().value!, null));
        part.dispose();
      }
      const product = tf.concat(parts, 1);
      return bias ? product.add<Tensor2D>(bias) : product;
    });
  }

  /** One after the other: each may drive out the one before. */
  override applyEach(linears: readonly Applied[], x: Tensor2D): Tensor2D[] {
    return linears.map(({ name, residual }) => {
      const product = this.apply(name, x);
      return residual ? plus(residual, product) : product;
    });
  }

  override rowsOf(name: string, ids: Int32Array): { table: EmbeddingTable; ids: Int32Array } {
    const rows = [...new Set(ids)].sort((a, b) => a - b);
    const part = this.part(this.parameter(name), rows.length, (perRow) =>
      rows.map((row) => ({ from: row * perRow, to: (row + 1) * perRow })),
    );
    const places = new Map(rows.map((row, i) => [row, i]));
    return { table: part.embeddings.values().next().value!, ids: ids.map((id) => places.get(id)!) };
  }

  override dispose(): void {
    super.dispose();
    this.resident.clear();
    this.staying.clear();
    this.stayingBytes = 0;
  }

  private parameter(name: string): PlannedParameter {
    const parameter = this.parameters.get(name);
    if (!parameter) throw new Error(`Weight ${name} is not in the model.`);
    return parameter;
  }

  private bytesOf(parameter: PlannedParameter): number {
    return parameterBytes(parameter, this.config, this.dummyHeads, this.options).total;
  }

  /** What some rows of a parameter take at once while they are put in place. */
  private sizesOf(parameter: PlannedParameter, count = parameter.spec.shape[0]!): number[] {
    return [(this.bytesOf(parameter) * count) / parameter.spec.shape[0]!];
  }

  private keepEarly(key: string): void {
    const bytes = this.bytesOf(this.parameter(key));
    if (this.stayingBytes + bytes > this.budgetBytes / 2) return;
    this.stayingBytes += bytes;
    this.staying.add(key);
    this.resident.delete(key);
  }

  private bring(parameter: PlannedParameter): void {
    this.makeRoom(this.sizesOf(parameter));
    this.fill(this, parameter, (source) => [{ from: source.start, to: source.end }]);
  }

  /** Some rows of a matrix, as a matrix of their own; of the enclosing tidy, or the caller's to dispose. */
  private part(parameter: PlannedParameter, count: number, spansOf: (bytesPerRow: number) => { from: number; to: number }[]): Weights {
    const perRow = (source: TensorEntry) => (source.end - source.start) / source.shape[0]!;
    const cut = (source: TensorEntry): TensorEntry => ({
      ...source,
      shape: [count, ...source.shape.slice(1)],
      start: source.start,
      end: source.start + count * perRow(source),
    });
    const { spec, sources, affine } = parameter;
    const wholes = new Map<TensorEntry, TensorEntry>();
    const replaced = (source: TensorEntry) => {
      const own = cut(source);
      wholes.set(own, source);
      return own;
    };
    if (sources.length > 1) throw new Error(`${spec.name} lies in several tensors and has no rows of its own.`);
    this.makeRoom(this.sizesOf(parameter, count));
    const part = new Weights();
    const smaller: PlannedParameter = {
      spec: { ...spec, shape: [count, ...spec.shape.slice(1)] },
      sources: [replaced(sources[0]!)],
      affine: affine && { ...affine, scales: replaced(affine.scales), biases: replaced(affine.biases) },
    };
    this.fill(part, smaller, (source) => {
      const whole = wholes.get(source)!;
      return spansOf(perRow(whole)).map(({ from, to }) => ({ from: whole.start + from, to: whole.start + to }));
    });
    return part;
  }

  /** Reads a parameter's bytes, whole rows at a time, and puts it into `weights`. */
  private fill(
    weights: Weights,
    parameter: PlannedParameter,
    spansOf: (source: TensorEntry) => { from: number; to: number }[],
    options = this.options,
  ): void {
    const sink = sinkFor(parameter, this.config, this.dummyHeads, options);
    for (const source of sourcesOf(parameter)) {
      const rowBytes = (source.end - source.start) / (source.shape[0] ?? 1);
      const step = Math.max(1, Math.floor(PIECE_BYTES / rowBytes)) * rowBytes;
      let offset = 0;
      for (const { from, to } of spansOf(source)) {
        for (let at = from; at < to; at += step) {
          const end = Math.min(to, at + step);
          sink.add(source, offset, this.readNow(source.file, at, end));
          offset += end - at;
        }
      }
    }
    const held = sink.finish();
    // bf16 values that halves cannot hold.
    if (!held) return this.fill(weights, parameter, spansOf, { keepHalves: false });
    if (weights === this) for (const tensor of Object.values(held)) if (tensor instanceof tf.Tensor) tf.keep(tensor);
    place(weights, parameter.spec, held);
  }

  /** What the layer of this linear will take besides weights. */
  private workOf(name: string, rows: number): number {
    const isVision = name.startsWith('vision_model.');
    const counts = isVision ? { tokens: 0, tiles: 1, visionRowsAtOnce: rows } : { tokens: rows, tiles: 0, visionRowsAtOnce: 0 };
    return activationBytes(this.config, { ...counts, scores: !hasOwnKernels() });
  }

  /** Cache, features and activations. */
  private get otherBytes(): number {
    return deviceBytes() - this.bytes;
  }

  /** Bytes to keep free of weights: what lasts longer than a layer, which is all that is there when one begins, and its work. */
  private leastOther(): number {
    return Math.max(this.otherBytes, Math.min(...this.others, this.otherBytes) + this.work);
  }

  private makeRoom(sizes: number[]): void {
    const { budgetBytes } = this;
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const isFull = () => this.bytes + this.leastOther() + bytes > budgetBytes;
    const isInPieces = () => tf.getBackend() === 'wasm' && !hasRoom(sizes, budgetBytes - Math.max(0, this.leastOther() - this.otherBytes));
    if (isFull()) releaseUnused();
    while (isFull() || isInPieces()) {
      // Of those that stay, the last to come are the last to be wanted again.
      const key = this.resident.values().next().value ?? [...this.staying].at(-1);
      if (key === undefined) {
        // No weight is left to give way: what cuts wasm's memory up is something else, and it must grow.
        if (!isFull()) return;
        const given = this.given.budgetBytes;
        const needed = (this.bytes + this.leastOther() + bytes) * (given / budgetBytes);
        throw new NvlmError(
          'out-of-memory',
          `A budget of ${Math.round(given / 1e6)} MB is too small: ${Math.ceil(needed / 1e6)} MB are needed at once.`,
          'Give a larger --device-budget, or make the prompt shorter.',
        );
      }
      this.drop(key);
      releaseUnused();
    }
  }

  private drop(key: string): void {
    const held = this.linears.get(key)!;
    for (const tensor of tensorsOf(held)) tensor.dispose();
    this.linears.delete(key);
    this.resident.delete(key);
    if (this.staying.delete(key)) this.stayingBytes -= this.bytesOf(this.parameter(key));
  }
}
