import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { submitPending } from '../device/tensor-memory.ts';
import type { Device } from '../device/types.ts';
import {
  crossAttentionCommands,
  isAttendable,
  partsLength,
  runsOf,
  selfAttentionCommands,
  type AttendSizes,
} from '../ops/recorded/attend.ts';
import { CommandList, makeBuffer, type Command } from '../ops/recorded/command-list.ts';
import { embedTokenCommand } from '../ops/recorded/embed-token.ts';
import { chunksOf, markWords, NOT_A_NUMBER, pickCommands, type PickBuffers } from '../ops/recorded/pick.ts';
import { bindingsOf, productCommand, swigluCommand, walkAlike, type Factor, type ProductInput } from '../ops/recorded/product.ts';
import { isRecordable } from '../ops/recorded/weight-wgsl.ts';
import type { PlainWeight } from '../ops/types.ts';
import { hasCrossAttention, type NvlmConfig } from './config.ts';
import type { KeysAndValues, KvCache } from './kv-cache.ts';
import { names } from './names.ts';
import { notANumber, Sampler } from './sampler.ts';
import type { LowRankUpdate, Weights } from './weights.ts';

/** Steps that wait on the device while the host still reads the one before. More would only be thrown away after a stop. */
const RUN_AHEAD = 1;

export interface RecordedModel {
  config: NvlmConfig;
  weights: Weights;
  inverseFrequencies: Tensor1D;
}

/** Working buffers of one step; every layer uses the same ones in turn. */
interface Rows {
  /** Residual stream [C]. */
  x: GPUBuffer;
  /** Queries, keys and values as projected, behind each other. */
  fresh: GPUBuffer;
  attended: GPUBuffer;
  /** Runs of long sequences before they are joined; null while every sequence is short. */
  parts: GPUBuffer | null;
  gated: GPUBuffer;
  /** Adapters' A · x of one row; null without adapters. */
  low: GPUBuffer | null;
}

/**
 * Decoding on WebGPU as a recorded step (ARCHITECTURE, "The way of a picture"): pipelines and bind groups of a whole token are made
 * once and replayed, one submit and one small write a token. The token is picked on the device and read by the next step there; four
 * bytes come back while that one is queued already.
 *
 * The step computes what `NvlmModel.step` and `Sampler` compute, which stay for everything else and as its check.
 */
export class RecordedDecoder {
  private readonly device: GPUDevice;
  private readonly buffers: GPUBuffer[] = [];
  private readonly rows: Rows;
  private readonly pick: PickBuffers;
  private commands: CommandList | null = null;
  /** Tokens that the recorded bind groups have room for. */
  private room = 0;
  private readonly readBacks: GPUBuffer[];
  private submitted = 0;

  private constructor(
    private readonly model: RecordedModel,
    private readonly cache: KvCache,
    private readonly sampler: Sampler,
  ) {
    const backend = tf.backend() as WebGPUBackend;
    this.device = backend.device;
    const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize } = model.config.llm;
    const make = (label: string, values: number) => {
      const buffer = makeBuffer(this.device, label, values);
      this.buffers.push(buffer);
      return buffer;
    };
    this.rows = {
      x: make('x', hiddenSize),
      fresh: make('fresh', (heads + 2 * kvHeads) * headDim),
      attended: make('attended', heads * headDim),
      parts: null,
      gated: make('gated', intermediateSize),
      low: model.weights.updates.size > 0 ? make('low', ranksOf(model.weights)) : null,
    };
    this.pick = {
      logits: make('logits', vocabSize),
      weights: make('weights', vocabSize),
      marks: make('marks', 2 * markWords(vocabSize)),
      best: make('best', 2 * chunksOf(vocabSize)),
      picked: make('picked', 1),
    };
    this.readBacks = Array.from({ length: RUN_AHEAD + 1 }, () =>
      this.device.createBuffer({ label: 'picked', size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    );
  }

  /**
   * A recorder for the rest of an answer whose prompt is in `cache`.
   *
   * @param sequence ids so far, the one that is read first last
   * @returns null where the ordinary step must do it: off WebGPU, in batches, with weights that stay on disk, with dropout, for rare widths
   */
  static start(model: RecordedModel, cache: KvCache, sampler: Sampler, sequence: readonly number[]): RecordedDecoder | null {
    if (!canRecord(model, cache)) return null;
    const decoder = new RecordedDecoder(model, cache, sampler);
    const { vocabSize } = model.config.llm;
    const marks = new Uint32Array(2 * markWords(vocabSize));
    const mark = (id: number, at: number) => {
      if (id >= 0 && id < vocabSize) marks[at + (id >> 5)]! |= 1 << (id & 31);
    };
    for (const id of sequence) mark(id, 0);
    for (const id of sampler.banned) mark(id, markWords(vocabSize));
    const { queue } = decoder.device;
    queue.writeBuffer(decoder.pick.marks, 0, marks);
    queue.writeBuffer(decoder.pick.picked, 0, Uint32Array.of(sequence.at(-1)!));
    return decoder;
  }

  /** The commands of a whole token for a cache of at least so many; to be compiled, not replayed: their buffers are gone by then. */
  static commands(model: RecordedModel, cache: KvCache, tokens: number): Command[] {
    if (!canRecord(model, cache)) return [];
    const decoder = new RecordedDecoder(model, cache, new Sampler({ temperature: 0 }, []));
    try {
      return [...decoder.step(tokens)];
    } finally {
      decoder.dispose();
    }
  }

  /**
   * The ids that follow, one a turn, at most `count`. After each the cache has one token more, the one before it.
   *
   * @throws NvlmError `not-a-number`, and what the device reports
   */
  async *tokens(count: number, device: Pick<Device, 'settle'>): AsyncGenerator<number, void> {
    const waiting: Promise<number>[] = [];
    let asked = 0;
    try {
      for (let got = 0; got < count; got++) {
        while (asked < count && waiting.length <= RUN_AHEAD) {
          const id = this.submit(this.cache.lengths[0]! + waiting.length);
          id.catch(() => {}); // Of a step that is queued ahead nobody may ever ask.
          waiting.push(id);
          asked++;
        }
        const id = await device.settle(waiting.shift()!);
        if (id === NOT_A_NUMBER) throw notANumber();
        this.cache.advance([1]);
        yield id;
      }
    } finally {
      await Promise.allSettled(waiting);
      this.dispose();
    }
  }

  /** One token: a write of 32 bytes, one submit, four bytes back. @returns the id that follows */
  private submit(position: number): Promise<number> {
    if (position >= this.room) this.record(position + 1);
    const commands = this.commands!;
    commands.writeStep({ position, ...this.sampler.stepValues() });
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    commands.replay(pass);
    pass.end();
    const readBack = this.readBacks[this.submitted++ % this.readBacks.length]!;
    encoder.copyBufferToBuffer(this.pick.picked, 0, readBack, 0, 4);
    this.device.queue.submit([encoder.finish()]);
    return readBack.mapAsync(GPUMapMode.READ).then(() => {
      const [id] = new Uint32Array(readBack.getMappedRange());
      readBack.unmap();
      return id!;
    });
  }

  /** Binds everything anew, for a cache of at least so many tokens. */
  private record(tokens: number): void {
    const step = [...this.step(tokens)];
    // What filled the cache may still wait in tfjs's own encoder.
    submitPending(tf.backend() as WebGPUBackend);
    this.commands?.dispose();
    this.commands = new CommandList(this.device);
    for (const command of step) this.commands.add(command);
  }

  /** Everything of one token, bound to a cache that has room for at least so many. */
  private *step(tokens: number): Generator<Command> {
    const { config, weights } = this.model;
    const { x } = this.rows;
    const { heads, kvHeads, headDim } = config.llm;
    const cached = this.cache.reserve(tokens, kvHeads * headDim);
    this.room = cached[0]!.k.shape[1];
    const self: AttendSizes = { heads, kvHeads, dim: headDim, keys: this.room };
    const cross: AttendSizes = { ...self, keys: this.cache.cross?.keyTiles.shape[1] ?? 0 };
    this.rows.parts?.destroy();
    const partsNeeded = Math.max(...[self, cross].map((sizes) => (runsOf(sizes) > 1 ? partsLength(sizes) : 0)));
    this.rows.parts = partsNeeded > 0 ? makeBuffer(this.device, 'parts', partsNeeded) : null;
    yield embedTokenCommand(weights.embedding(names.embedTokens(config)), this.pick.picked, x);
    for (let layer = 0; layer < config.llm.layers; layer++) {
      yield* this.selfAttention(layer, cached[layer]!, self);
      const image = this.cache.cross?.layers.get(layer);
      if (image) yield* this.crossAttention(layer, image, cross);
      yield* this.feedForward(layer);
    }
    yield* this.products('decode-head', this.normed(names.finalNorm(config)), [names.lmHead(config)], this.pick.logits);
    yield* pickCommands(config.llm.vocabSize, this.pick);
  }

  private *selfAttention(layer: number, { k, v }: KeysAndValues, sizes: AttendSizes): Generator<Command> {
    const { config, weights, inverseFrequencies } = this.model;
    const { x, fresh, attended, parts } = this.rows;
    const { qkNorm, rmsNormEps } = config.llm;
    const name = names.decoderLayer(config, layer);
    const projections = ['q_proj', 'k_proj', 'v_proj'].map((projection) => `${name}.self_attn.${projection}`);
    yield* this.products('decode-qkv', this.normed(`${name}.input_layernorm.weight`), projections, fresh);
    const norm = (side: string) => weights.vector(`${name}.self_attn.${side}_norm.weight`);
    const norms = qkNorm ? { q: norm('q'), k: norm('k'), eps: rmsNormEps } : null;
    yield* selfAttentionCommands(sizes, { fresh, k, v, inverseFrequencies, qkNorm: norms }, parts, attended);
    yield* this.products('decode-out', { row: attended, norm: null }, [`${name}.self_attn.o_proj`], x, { add: true });
  }

  private *crossAttention(layer: number, { k, v }: KeysAndValues, sizes: AttendSizes): Generator<Command> {
    const { config, weights } = this.model;
    const { x, fresh, attended, parts } = this.rows;
    const name = names.decoderLayer(config, layer);
    yield* this.products('decode-cross-q', this.normed(`${name}.cross_attn_layernorm.weight`), [`${name}.cross_attn.q_proj`], fresh);
    yield* crossAttentionCommands(sizes, { queries: fresh, k, v }, parts, attended);
    const gate = weights.vector(names.crossAttentionGate(config, layer));
    yield* this.products('decode-cross-out', { row: attended, norm: null }, [`${name}.cross_attn.o_proj`], x, { add: true, gate });
  }

  private *feedForward(layer: number): Generator<Command> {
    const { x, gated } = this.rows;
    const name = names.decoderLayer(this.model.config, layer);
    const input = this.normed(`${name}.post_attention_layernorm.weight`);
    const sides = [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`];
    yield* this.lowRows(input, sides);
    const [gate, up] = this.factors(sides) as [Factor, Factor];
    yield swigluCommand('decode-swiglu', input, gate, up, gated);
    yield* this.products('decode-down', { row: gated, norm: null }, [`${name}.mlp.down_proj`], x, { add: true });
  }

  /** One dispatch, or more where the device does not bind so many buffers at once, and one before for what adapters change. */
  private *products(
    label: string,
    input: ProductInput,
    linears: readonly string[],
    result: GPUBuffer,
    how: { add?: boolean; gate?: Tensor1D } = {},
  ): Generator<Command> {
    yield* this.lowRows(input, linears);
    const factors = this.factors(linears);
    const most = this.device.limits.maxStorageBuffersPerShaderStage;
    let offset = 0;
    for (let first = 0; first < factors.length; ) {
      let end = first + 1;
      while (end < factors.length && bindingsOf(input, factors.slice(first, end + 1)) <= most) end++;
      const part = factors.slice(first, end);
      yield productCommand(label, input, part, result, { ...how, offset });
      offset += part.reduce((sum, { weight }) => sum + weight.outFeatures, 0);
      first = end;
    }
  }

  /** A · x of every adapter on these linears, behind each other. */
  private *lowRows(input: ProductInput, linears: readonly string[]): Generator<Command> {
    const factors = linears.flatMap((name) => this.updates(name)).map(({ a }) => ({ weight: floats(a), bias: null }));
    const most = this.device.limits.maxStorageBuffersPerShaderStage - bindingsOf(input, []);
    let offset = 0;
    for (let first = 0; first < factors.length; first += most) {
      const part = factors.slice(first, first + most);
      yield productCommand('decode-adapters', input, part, this.rows.low!, { offset });
      offset += part.reduce((sum, { weight }) => sum + weight.outFeatures, 0);
    }
  }

  private factors(linears: readonly string[]): Factor[] {
    const { weights } = this.model;
    let at = 0;
    return linears.flatMap((name) => {
      const updates = this.updates(name).map(({ a, b, scale }) => {
        const term = { low: this.rows.low!, at, b, scale };
        at += a.shape[1];
        return term;
      });
      const weight = weights.linear(name);
      if (weight.kind === 'parts') return weight.parts.map((part) => ({ weight: part, bias: null, updates: [] }));
      return { weight, bias: weights.bias(name), updates };
    });
  }

  private updates(name: string): readonly LowRankUpdate[] {
    return this.model.weights.updates.get(name) ?? [];
  }

  private normed(name: string): ProductInput {
    const { config, weights } = this.model;
    return { row: this.rows.x, norm: { weight: weights.vector(name), eps: config.llm.rmsNormEps } };
  }

  private dispose(): void {
    this.commands?.dispose();
    this.rows.parts?.destroy();
    for (const buffer of [...this.buffers, ...this.readBacks]) buffer.destroy();
  }
}

/** An adapter's matrix as a weight. */
function floats(data: Tensor2D): PlainWeight {
  return { kind: 'f32', inFeatures: data.shape[0], outFeatures: data.shape[1], data };
}

/** More than the ranks of any linears that are multiplied with one row. */
function ranksOf({ updates }: Weights): number {
  return [...updates.values()].flat().reduce((sum, { a }) => sum + a.shape[1], 0);
}

function canRecord({ config, weights }: RecordedModel, cache: KvCache): boolean {
  if (tf.getBackend() !== 'webgpu' || cache.batch !== 1 || !weights.stays) return false;
  if ([...weights.updates.values()].flat().some(({ a, dropout }) => dropout || a.shape[0] % 4 !== 0)) return false;
  const { heads, kvHeads, headDim, hiddenSize, layers } = config.llm;
  if (!isAttendable({ heads, kvHeads, dim: headDim }) || hiddenSize % 4 !== 0) return false;
  for (let layer = 0; layer < layers; layer++) {
    const name = names.decoderLayer(config, layer);
    const modules = [
      'self_attn.q_proj',
      'self_attn.k_proj',
      'self_attn.v_proj',
      'self_attn.o_proj',
      'mlp.gate_proj',
      'mlp.up_proj',
      'mlp.down_proj',
    ];
    if (hasCrossAttention(config, layer)) modules.push('cross_attn.q_proj', 'cross_attn.o_proj');
    if (!modules.every((module) => canMultiply(`${name}.${module}`, weights))) return false;
    if (!walkAlike(weights.linear(`${name}.mlp.gate_proj`), weights.linear(`${name}.mlp.up_proj`))) return false;
  }
  return canMultiply(names.lmHead(config), weights);
}

/** Parts are factors of their own, to which no bias and no adapter is added. */
function canMultiply(name: string, weights: Weights): boolean {
  const weight = weights.linear(name);
  const isPlain = weight.kind !== 'parts' || (!weights.bias(name) && !weights.updates.has(name));
  return isPlain && isRecordable(weight);
}
