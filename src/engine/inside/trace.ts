import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { Device } from '../../device/types.ts';
import { throwIfAborted } from '../../errors.ts';
import type { KvCache } from '../../nvlm/kv-cache.ts';
import type { NvlmModel, Sample } from '../../nvlm/model.ts';
import type { AttentionKind } from '../../nvlm/probe.ts';
import { attentionWeights } from '../../ops/attention/weights.ts';
import type { TokenPlan } from '../../text/types.ts';
import type { CallOptions } from '../api.ts';
import { yieldToEventLoop } from '../yield.ts';
import type { AnswerToken } from './inside-api.ts';
import { QueryRecorder, rowsOf } from './query-recorder.ts';
import { readOutBlocks } from './read-out.ts';
import { oddsOf } from './token-odds.ts';

/** Scores of one layer that are computed at once. */
const MOST_SCORES = 4 * 1024 * 1024;
/** Attention of whole layers that stays at hand. */
const MOST_HELD_VALUES = 16 * 1024 * 1024;
/** Rows before the answer that are recorded, the last ones: questions are shorter. */
const MOST_PROMPT_ROWS = 256;

/** What a prompt and an answer to it are computed from. */
export interface TraceInput {
  /** Of the prompt alone. */
  plan: TokenPlan;
  /** [tiles, tokensPerTile, C]; the trace's from now on. */
  features: Tensor3D | null;
  answer: readonly number[];
  /** In place of the learnt ones, by layer; the trace's from now on. */
  gates: Map<number, Tensor1D>;
  textOf: (id: number) => string;
}

/**
 * One answer, run through the decoder once more as a whole, with what any of its rows needs to be looked at: the keys that the cache
 * holds anyway, and the queries of the rows. No attention is computed before somebody asks for it, and then of a layer at a time.
 */
export class Trace {
  /** Positions; the last `answer.length` predict the answer's tokens. */
  readonly rows: readonly number[];
  private readonly recorder: QueryRecorder;
  private readonly cache: KvCache;
  private readonly held = new Map<string, Float32Array>();

  constructor(
    readonly model: NvlmModel,
    private readonly device: Device,
    readonly input: TraceInput,
  ) {
    this.rows = [...promptRows(input.plan), ...this.answerRows];
    this.recorder = new QueryRecorder(this.rows);
    this.cache = model.newCache(1);
  }

  /** Positions that predict the answer's tokens. */
  get answerRows(): number[] {
    const { plan, answer } = this.input;
    return answer.map((_, index) => plan.inputIds.length - 1 + index);
  }

  /** Keys of self-attention: prompt and answer. Nobody looks at the last one, which was said last. */
  get length(): number {
    return this.input.plan.inputIds.length + this.input.answer.length;
  }

  get crossLayers(): number[] {
    return [...this.recorder.queries.cross.keys()].sort((a, b) => a - b);
  }

  /** Runs prompt and answer. @returns the odds of the answer's tokens */
  async run(options: CallOptions = {}): Promise<AnswerToken[]> {
    const { answer, textOf } = this.input;
    const odds: AnswerToken[] = [];
    await this.predict(this.input.features, 0, this.recorder, options, (logits, index) => {
      odds.push(oddsOf(logits, answer[index]!, this.model.imageTokenId, textOf));
    });
    return odds;
  }

  /**
   * log p of the answer's tokens with other features of the picture: only from position `from` on is the decoder run again, and the
   * trace itself stays what it was.
   */
  async logpWith(features: Tensor3D, from: number, options: CallOptions = {}): Promise<number[]> {
    const { answer } = this.input;
    const logp: number[] = [];
    await this.predict(features, from, null, options, (logits, index) => {
      logp.push(oddsOf(logits, answer[index]!, this.model.imageTokenId, String).logp);
    });
    // What was computed with other features is no part of this trace.
    this.forgetFrom(from);
    return logp;
  }

  /**
   * Attention of every recorded row in one layer.
   *
   * @returns [heads, rows, keys]
   */
  async attention(kind: AttentionKind, layer: number, options: CallOptions = {}): Promise<Float32Array> {
    const name = `${kind} ${layer}`;
    const known = this.held.get(name);
    if (known) return known;
    await this.makeWhole(options);
    const { heads } = this.model.config.llm;
    const keys = this.keys(kind);
    const values = new Float32Array(heads * this.rows.length * keys);
    const atOnce = Math.max(1, Math.floor(MOST_SCORES / (heads * keys)));
    for (let first = 0; first < this.rows.length; first += atOnce) {
      throwIfAborted(options.signal);
      const count = Math.min(atOnce, this.rows.length - first);
      const weights = this.weights(kind, layer, first, count);
      try {
        const block = await this.device.read(weights);
        const width = weights.shape[2];
        for (let head = 0; head < heads; head++) {
          for (let row = 0; row < count; row++) {
            const from = (head * count + row) * width;
            values.set(block.subarray(from, from + width), (head * this.rows.length + first + row) * keys);
          }
        }
      } finally {
        weights.dispose();
      }
      await yieldToEventLoop();
    }
    this.hold(name, values);
    return values;
  }

  keys(kind: AttentionKind): number {
    if (kind === 'self') return this.length;
    return keyTilesOf(this.input.plan).length;
  }

  /** Residual rows [positions, C] after each of these layers; the caller's to dispose. */
  async residual(positions: readonly number[], layers: readonly number[], { signal }: CallOptions = {}): Promise<Map<number, Tensor2D>> {
    throwIfAborted(signal);
    const found = new Map<number, Tensor2D>();
    this.forgetFrom(0);
    this.prefill(this.input.features, (layer, x) => {
      if (layers.includes(layer)) found.set(layer, tf.keep(rowsOf(x, positions, 0)));
    });
    await yieldToEventLoop();
    return found;
  }

  dispose(): void {
    this.cache.dispose();
    this.recorder.dispose();
    this.input.features?.dispose();
    tf.dispose([...this.input.gates.values()]);
  }

  /** Runs from position `from` on and hands over the logits of the answer's rows. */
  private async predict(
    features: Tensor3D | null,
    from: number,
    recorder: QueryRecorder | null,
    { signal }: CallOptions,
    onLogits: (logits: Float32Array, index: number) => void,
  ): Promise<void> {
    throwIfAborted(signal);
    this.forgetFrom(from);
    const start = this.cache.lengths[0]!;
    const last = this.model.config.llm.layers - 1;
    let final: Tensor2D | null = null;
    try {
      this.prefill(
        features,
        (layer, x) => {
          if (layer === last) final = tf.keep(rowsOf(x, this.answerRows, start));
        },
        recorder,
      );
      const { vocabSize } = this.model.config.llm;
      for await (const { first, count, parts } of readOutBlocks(this.model, final!, (logits) => [logits])) {
        const values = await this.device.read(parts[0]!);
        for (let row = 0; row < count; row++) onLogits(values.subarray(row * vocabSize, (row + 1) * vocabSize), first + row);
        throwIfAborted(signal);
        await yieldToEventLoop();
      }
    } finally {
      tf.dispose(final ?? []);
    }
  }

  private prefill(features: Tensor3D | null, residual: (layer: number, x: Tensor2D) => void, recorder: QueryRecorder | null = null): void {
    const { gates } = this.input;
    this.model.prefill([this.sample(features)], this.cache, 'last', { ...recorder?.probe, residual, gates }).dispose();
  }

  /** Prompt and answer, but for the token said last: nothing follows that it could have predicted. */
  private sample(features: Tensor3D | null): Sample {
    const { plan, answer } = this.input;
    const said = answer.slice(0, -1);
    const tiles = plan.crossTiles.length;
    const inputIds = new Int32Array(plan.inputIds.length + said.length);
    inputIds.set(plan.inputIds);
    inputIds.set(said, plan.inputIds.length);
    const crossMask = new Uint8Array(inputIds.length * tiles);
    crossMask.set(plan.crossMask);
    // What is said after the picture sees all of it.
    crossMask.fill(1, plan.crossMask.length);
    return { plan: { ...plan, inputIds, crossMask }, features };
  }

  private forgetFrom(position: number): void {
    this.cache.truncate(position);
    // Of another picture, perhaps; the next prefill makes its own.
    this.cache.setCross(null);
  }

  /** Puts back what other features have overwritten. */
  private async makeWhole({ signal }: CallOptions): Promise<void> {
    if (this.cache.lengths[0] === this.length - 1 && (this.cache.cross || this.input.plan.crossTiles.length === 0)) return;
    throwIfAborted(signal);
    // A full cache without the picture's keys: one row is enough to have them made again.
    this.cache.truncate(Math.min(this.cache.lengths[0]!, this.length - 2));
    this.prefill(this.input.features, () => undefined);
    await yieldToEventLoop();
  }

  /** [heads, count, keys that exist] */
  private weights(kind: AttentionKind, layer: number, first: number, count: number): Tensor3D {
    const { heads, kvHeads } = this.model.config.llm;
    const all = this.recorder.queries[kind].get(layer);
    const held = kind === 'self' ? this.cache.keys(layer) : this.cache.cross?.layers.get(layer)?.k;
    if (!all || !held) throw new RangeError(`layer ${layer} has no ${kind}-attention`);
    const keys = kind === 'self' ? this.length - 1 : held.shape[1];
    return tf.tidy(() => {
      const q = tf.slice(all, [first, 0], [count, all.shape[1]]);
      const k = tf.slice(held, [0, 0, 0], [1, keys, held.shape[2]]);
      const visible = this.visible(kind, keys, this.rows.slice(first, first + count));
      return attentionWeights(q, k, visible, { heads, kvHeads });
    });
  }

  private visible(kind: AttentionKind, keys: number, rows: readonly number[]): Tensor2D {
    const values = new Float32Array(rows.length * keys);
    if (kind === 'self') {
      rows.forEach((position, row) => values.fill(1, row * keys, row * keys + position + 1));
    } else {
      const { plan } = this.sample(null);
      const tiles = plan.crossTiles.length;
      const keyTiles = keyTilesOf(this.input.plan);
      rows.forEach((position, row) => {
        for (let key = 0; key < keys; key++) values[row * keys + key] = plan.crossMask[position * tiles + keyTiles[key]!]!;
      });
    }
    return tf.tensor2d(values, [rows.length, keys]);
  }

  private hold(name: string, values: Float32Array): void {
    let sum = values.length;
    for (const other of this.held.values()) sum += other.length;
    for (const [old, other] of this.held) {
      if (sum <= MOST_HELD_VALUES) break;
      this.held.delete(old);
      sum -= other.length;
    }
    if (sum <= MOST_HELD_VALUES) this.held.set(name, values);
  }
}

/** Which of the cross-attended tiles each key of cross-attention belongs to. */
function keyTilesOf({ crossTiles, crossTagIds, tokensPerTile }: TokenPlan): number[] {
  return crossTiles.flatMap((_, n) => new Array<number>((crossTagIds[n]?.length ?? 0) + tokensPerTile).fill(n));
}

/** Positions behind the picture's beginning that are no cells of it: its tags, and the words after it. */
function promptRows({ segments, inputIds }: TokenPlan): number[] {
  const begin = segments.find(({ kind }) => kind === 'tag' || kind === 'visual')?.start ?? 0;
  const rows: number[] = [];
  for (const { kind, start, end } of segments) {
    if (kind === 'visual') continue;
    for (let position = Math.max(start, begin); position < end; position++) rows.push(position);
  }
  // The prompt's last row predicts the answer's first token: it is one of the answer's.
  return rows.filter((position) => position < inputIds.length - 1).slice(-MOST_PROMPT_ROWS);
}
