import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { cacheWrite } from '../ops/cache-write/cache-write.ts';

export interface KeysAndValues {
  /** [B, S, kvHeads · headDim] */
  k: Tensor3D;
  v: Tensor3D;
}

/** What gated cross-attention reads: one pair a cross-attention layer, and which tile each key belongs to. */
export interface CrossKeysAndValues {
  layers: Map<number, KeysAndValues>;
  /** [B, S] i32, index among the sample's cross-attended tiles; −1 = padding. */
  keyTiles: Tensor2D;
  /** N, the widest row of `rowTiles`. */
  tiles: number;
}

/** Capacities come in steps, so that a growing conversation reuses pooled buffers of few sizes. */
export const CAPACITY_STEP = 256;

/**
 * Keys and values of the tokens seen so far, a pair a decoder layer, for a batch whose rows have lengths of their own; and the
 * image's cross-attention keys and values, which never change during a conversation.
 *
 * On WebGPU and wasm the buffers are allocated once and written in place; on cpu each write makes a new tensor (`cacheWrite`).
 */
export class KvCache {
  /** Tokens held, a batch row. Set by {@link advance} once every layer has been written. */
  readonly lengths: number[];
  cross: CrossKeysAndValues | null = null;
  private readonly layers: (KeysAndValues | null)[];
  private capacity = 0;

  constructor(
    readonly batch: number,
    layers: number,
    private readonly inPlace: boolean,
  ) {
    this.lengths = new Array<number>(batch).fill(0);
    this.layers = new Array<KeysAndValues | null>(layers).fill(null);
  }

  /**
   * Puts the keys and values [B, T, W] of new tokens behind those held and returns everything held, for attention.
   * The returned tensors belong to the cache.
   */
  write(layer: number, k: Tensor3D, v: Tensor3D, starts: Tensor1D): KeysAndValues {
    const needed = Math.max(...this.lengths) + k.shape[1];
    const held = this.layers[layer] ?? null;
    let next: KeysAndValues;
    if (this.inPlace) {
      this.capacity = Math.max(this.capacity, Math.ceil(needed / CAPACITY_STEP) * CAPACITY_STEP);
      const room = this.grow(held, k.shape[2]);
      next = { k: cacheWrite(room.k, k, starts, this.lengths), v: cacheWrite(room.v, v, starts, this.lengths) };
    } else if (held) {
      next = { k: cacheWrite(held.k, k, starts, this.lengths), v: cacheWrite(held.v, v, starts, this.lengths) };
    } else {
      next = { k: k.clone(), v: v.clone() };
    }
    this.replace(layer, next);
    return next;
  }

  /** Keys [B, capacity, W] of a layer, the first {@link lengths} of them written; they stay the cache's. null before the first write. */
  keys(layer: number): Tensor3D | null {
    return this.layers[layer]?.k ?? null;
  }

  /** Counts `tokens[b]` more tokens in row b. */
  advance(tokens: readonly number[]): void {
    tokens.forEach((count, row) => (this.lengths[row]! += count));
  }

  /** Forgets everything behind the first `length` tokens of every row; their buffers are written over later. */
  truncate(length: number): void {
    for (let row = 0; row < this.batch; row++) this.lengths[row] = Math.min(this.lengths[row]!, length);
  }

  /**
   * Room for so many tokens in every layer, in buffers that stay where they are until more is asked for (WebGPU). What is written there
   * by others than {@link write} counts once {@link advance} says so.
   *
   * @param width of one token's keys: kvHeads · headDim
   */
  reserve(tokens: number, width: number): KeysAndValues[] {
    this.capacity = Math.max(this.capacity, Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP);
    return this.layers.map((held, layer) => {
      const room = this.grow(held, width);
      this.replace(layer, room);
      return room;
    });
  }

  get bytes(): number {
    const pairs = [...this.layers, ...(this.cross?.layers.values() ?? [])];
    return pairs.reduce((sum, pair) => sum + (pair ? (pair.k.size + pair.v.size) * 4 : 0), 0);
  }

  dispose(): void {
    for (const pair of this.layers) disposePair(pair);
    this.layers.fill(null);
    this.setCross(null);
  }

  setCross(cross: CrossKeysAndValues | null): void {
    if (this.cross) {
      for (const pair of this.cross.layers.values()) disposePair(pair);
      this.cross.keyTiles.dispose();
    }
    this.cross = cross;
  }

  private grow(held: KeysAndValues | null, width: number): KeysAndValues {
    if (held && held.k.shape[1] >= this.capacity) return held;
    const enlarge = (tensor: Tensor3D | undefined): Tensor3D =>
      tf.tidy(() => {
        const length = tensor?.shape[1] ?? 0;
        const empty = tf.zeros<tf.Rank.R3>([this.batch, this.capacity - length, width]);
        return tensor ? tf.concat([tensor, empty], 1) : empty;
      });
    return { k: enlarge(held?.k), v: enlarge(held?.v) };
  }

  private replace(layer: number, next: KeysAndValues): void {
    const held = this.layers[layer];
    this.layers[layer] = { k: tf.keep(next.k), v: tf.keep(next.v) };
    if (held && held.k !== next.k) disposePair(held);
  }
}

function disposePair(pair: KeysAndValues | null | undefined): void {
  if (!pair) return;
  pair.k.dispose();
  pair.v.dispose();
}
