import * as tf from '@tensorflow/tfjs';
import type { Rank, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import { writesInPlace } from '../ops/cache-write/cache-write.ts';
import { embed } from '../ops/embed/embed.ts';
import type { TokenPlan } from '../text/types.ts';
import { tokensPerTile, type NvlmConfig } from './config.ts';
import { crossKeysAndValues, decode, finalNorm, logitsOf, type LayerRunner, type SharedPlaces } from './decoder.ts';
import type { VisionNetwork } from './families/family.ts';
import { KvCache } from './kv-cache.ts';
import { names } from './names.ts';
import type { DecoderProbe } from './probe.ts';
import { RecordedDecoder } from './recorded-decoder.ts';
import { inverseFrequencies } from './rope.ts';
import type { Sampler } from './sampler.ts';
import { sharedRow, sharePrefixes, type Piece, type SharedPrefixes } from './shared-prefix.ts';
import type { Weights } from './weights.ts';

/** One sequence and the image it talks about. */
export interface Sample {
  plan: Pick<TokenPlan, 'inputIds' | 'crossMask' | 'crossTiles' | 'crossTagIds' | 'sequenceTiles'>;
  /** [tiles, tokensPerTile, decoderWidth] from {@link NvlmModel.imageFeatures}; null for text only. */
  features: Tensor3D | null;
  /** Id of the visual tokens' placeholder, where it is not the model's. */
  imageTokenId?: number;
}

/** Host-side description of rows to embed: a token id each, or a row of the visual table where `slots` ≥ 0. */
interface RowSources {
  ids: Int32Array;
  slots: Int32Array;
}

/** A model of any family: weights and the forward pass. Owns the weights. */
export class NvlmModel {
  readonly inverseFrequencies: Tensor1D;

  constructor(
    readonly config: NvlmConfig,
    readonly weights: Weights,
    /** Id that stands in `inputIds` where a visual token goes; null for a text model. */
    readonly imageTokenId: number | null,
    /** Vision encoder and connector; null for a text model. */
    private readonly network: VisionNetwork | null,
  ) {
    this.inverseFrequencies = tf.keep(tf.tensor1d(inverseFrequencies(config.llm)));
  }

  /**
   * Vision encoder, pixel shuffle and connector.
   *
   * @param pixels [tiles, 3, S, S] f32, normalised, in sequence order
   * @returns [tiles, tokensPerTile, decoderWidth]
   */
  imageFeatures(pixels: Float32Array, tiles: number): Tensor3D {
    return tf.tidy(() => this.connectImage(this.encodeImage(pixels, tiles)));
  }

  /** The vision encoder alone. @returns [tiles, (S/patch)², visionWidth] */
  encodeImage(pixels: Float32Array, tiles: number): Tensor3D {
    const { vision } = this.config;
    if (!vision || !this.network) throw new NvlmError('usage', 'This is a text model: it has no vision encoder.', 'Leave the image out.');
    const expected = tiles * 3 * vision.imageSize ** 2;
    if (pixels.length !== expected) {
      throw new NvlmError(
        'bad-data',
        `${pixels.length} pixel values where ${tiles} tiles of ${vision.imageSize} px need ${expected}.`,
        `Cut the image into tiles of ${vision.imageSize} px.`,
      );
    }
    return this.network.encode(pixels, tiles, this.config, this.weights);
  }

  /** Pixel shuffle and connector. @param encoded from {@link encodeImage} @returns [tiles, tokensPerTile, decoderWidth] */
  connectImage(encoded: Tensor3D): Tensor3D {
    return this.network!.connect(encoded, this.config, this.weights);
  }

  newCache(batch: number): KvCache {
    return new KvCache(batch, this.config.llm.layers, writesInPlace());
  }

  /**
   * Runs whole sequences, of different lengths if need be, and fills `cache` when there is one.
   *
   * With a cache that already holds the first `cache.lengths[0]` tokens of a single sample, only the rest is computed.
   *
   * @returns logits: `all` [B · T, V], T the longest sequence, rows past a sequence's end meaningless; `last` [B, V].
   */
  prefill(samples: readonly Sample[], cache: KvCache | null, rows: 'all' | 'last', probe?: DecoderProbe): Tensor2D {
    const held = cache?.lengths[0] ?? 0;
    const fresh = samples.map((sample) => sample.plan.inputIds.length - held);
    const length = Math.max(...fresh);
    const result = tf.tidy(() => {
      const hidden = this.decodeSamples(samples, cache, held, length, { probe });
      if (rows === 'all') return this.logits(hidden);
      const last = Int32Array.from(fresh, (count, row) => row * length + count - 1);
      return this.logits(tf.gather(hidden, tf.tensor1d(last, 'int32')));
    });
    cache?.advance(fresh);
    return result;
  }

  /**
   * What the head reads, of whole sequences and without a cache: differentiable in every f32 weight.
   *
   * @returns [B · T, C], T the longest sequence, rows past a sequence's end meaningless
   */
  hiddenStates(samples: readonly Sample[], runLayer?: LayerRunner): Tensor2D {
    const length = Math.max(...samples.map(({ plan }) => plan.inputIds.length));
    return tf.tidy(() => this.decodeSamples(samples, null, 0, length, { runLayer }));
  }

  /**
   * The same, but that what samples about one picture (one `features` tensor) begin with in common is computed once.
   *
   * @returns `hidden` [R, C], and in which of its rows a sample's position stands
   */
  sharedHiddenStates(
    samples: readonly Sample[],
    runLayer?: LayerRunner,
  ): { hidden: Tensor2D; rowOf(sample: number, position: number): number } {
    const shared = sharePrefixes(samples);
    const hidden =
      shared.blocks.length > 0 ? tf.tidy(() => this.decodeShared(samples, shared, runLayer)) : this.hiddenStates(samples, runLayer);
    return { hidden, rowOf: (sample, position) => sharedRow(shared, sample, position) };
  }

  /** Hidden states [R, C] → logits [R, V]. */
  logits(hidden: Tensor2D): Tensor2D {
    return logitsOf(hidden, this.config, this.weights);
  }

  /** Rows of the residual stream [R, C], after whichever layer → the logits [R, V] that the head reads in them. */
  readOut(residual: Tensor2D): Tensor2D {
    return tf.tidy(() => this.logits(finalNorm(residual, this.config, this.weights)));
  }

  /**
   * One more token a batch row: cached decoding. Text after the image sees every cross-attended tile.
   *
   * @returns logits [B, V] for the token after `ids`
   */
  step(ids: readonly number[], cache: KvCache, probe?: DecoderProbe): Tensor2D {
    const result = tf.tidy(() => {
      const { batch, cross } = cache;
      const embedded = this.embedRows({ ids: Int32Array.from(ids), slots: new Int32Array(batch).fill(-1) }, null);
      const starts = tf.tensor1d(Int32Array.from(cache.lengths), 'int32');
      const hidden = decode(embedded, this.config, this.weights, {
        batch,
        length: 1,
        positions: starts,
        starts,
        inverseFrequencies: this.inverseFrequencies,
        cache,
        cross,
        // Padding keys belong to no tile, so a row of ones is right for samples with fewer tiles too.
        rowTiles: cross ? tf.ones([batch, cross.tiles], 'int32') : null,
        probe,
      });
      return this.logits(hidden);
    });
    cache.advance(ids.map(() => 1));
    return result;
  }

  /** The rest of an answer as recorded steps, where this device and model can: see {@link RecordedDecoder.start}. */
  record(cache: KvCache, sampler: Sampler, sequence: readonly number[]): RecordedDecoder | null {
    return RecordedDecoder.start(this, cache, sampler, sequence);
  }

  dispose(): void {
    this.weights.dispose();
    this.inverseFrequencies.dispose();
  }

  private decodeSamples(
    samples: readonly Sample[],
    cache: KvCache | null,
    held: number,
    length: number,
    how: { runLayer?: LayerRunner; probe?: DecoderProbe },
  ): Tensor2D {
    const batch = samples.length;
    const { table, offsets } = this.visualTable(samples);
    const cross = cache?.cross ?? this.crossInput(samples, table, offsets);
    if (cache && cross && !cache.cross) cache.setCross(kept(cross));
    const pieces = samples.map(({ plan }, sample) => ({ sample, from: held, to: plan.inputIds.length }));
    const embedded = this.embedRows(this.pieceRows(samples, pieces, offsets, length), table);
    return decode(embedded, this.config, this.weights, {
      batch,
      length,
      positions: tf.tensor1d(positionsOf(batch, length, held), 'int32'),
      starts: tf.fill([batch], held, 'int32'),
      inverseFrequencies: this.inverseFrequencies,
      cache,
      cross,
      rowTiles: cross ? tf.tensor2d(crossRows(samples, pieces, length, cross.tiles), [batch * length, cross.tiles], 'int32') : null,
      ...how,
    });
  }

  private decodeShared(samples: readonly Sample[], shared: SharedPrefixes, runLayer: LayerRunner | undefined): Tensor2D {
    const { prefixes, blocks, prefixLength, blockLength } = shared;
    const heads = prefixes.map(({ sample }) => samples[sample]!);
    const { table, offsets } = this.visualTable(heads);
    const cross = this.crossInput(heads, table, offsets);
    const offsetOf = samples.map((_, i) => offsets[shared.places[i]!.prefix]!);
    const layout = [
      { pieces: prefixes, length: prefixLength },
      { pieces: blocks, length: blockLength },
    ];
    const rows = layout.map(({ pieces, length }) => this.pieceRows(samples, pieces, offsetOf, length));
    const sources = { ids: joined(rows.map(({ ids }) => ids)), slots: joined(rows.map(({ slots }) => slots)) };
    const positions = layout.flatMap(({ pieces, length }) => pieces.map(({ from }) => positionsOf(1, length, from)));
    const rowTiles = cross && joined(layout.map(({ pieces, length }) => crossRows(samples, pieces, length, cross.tiles)));
    const context = {
      batch: 0,
      length: 0,
      positions: tf.tensor1d(joined(positions), 'int32'),
      starts: tf.zeros<Rank.R1>([prefixes.length], 'int32'),
      inverseFrequencies: this.inverseFrequencies,
      cache: null,
      cross,
      rowTiles: rowTiles && cross && tf.tensor2d(rowTiles, [sources.ids.length, cross.tiles], 'int32'),
      shared: { prefixes: prefixes.length, prefixLength, blocks: blocks.length, blockLength },
      runLayer,
    };
    return decode(this.embedRows(sources, table), this.config, this.weights, context, placesOf(shared));
  }

  /** All samples' features below each other, [rows, C], and where each sample's begin. */
  private visualTable(samples: readonly Sample[]): { table: Tensor2D | null; offsets: number[] } {
    const perTile = tokensPerTile(this.config);
    const blocks: Tensor2D[] = [];
    const offsets: number[] = [];
    let rows = 0;
    for (const { features } of samples) {
      offsets.push(rows);
      if (!features) continue;
      rows += features.shape[0] * perTile;
      blocks.push(features.reshape([features.shape[0] * perTile, this.config.llm.hiddenSize]));
    }
    return { table: blocks.length > 1 ? tf.concat(blocks, 0) : (blocks[0] ?? null), offsets };
  }

  private embedRows(sources: RowSources, visual: Tensor2D | null): Tensor2D {
    const { table, ids: rows } = this.weights.rowsOf(names.embedTokens(this.config), sources.ids);
    const ids = tf.tensor1d(rows, 'int32');
    return visual ? embed(ids, table, visual, tf.tensor1d(sources.slots, 'int32')) : embed(ids, table, null, null);
  }

  /** Token rows [pieces · length]; placeholders take their tiles' visual rows in order, which begin at the sample's offset. */
  private pieceRows(samples: readonly Sample[], pieces: readonly Piece[], offsets: readonly number[], length: number): RowSources {
    const perTile = tokensPerTile(this.config);
    const ids = new Int32Array(pieces.length * length);
    const slots = new Int32Array(pieces.length * length).fill(-1);
    pieces.forEach(({ sample, from, to }, row) => {
      const { plan, features, imageTokenId = this.imageTokenId } = samples[sample]!;
      let visual = 0;
      plan.inputIds.forEach((id, position) => {
        const isVisual = features !== null && id === imageTokenId;
        const index = visual;
        if (isVisual) visual++;
        if (position < from || position >= to) return;
        const at = row * length + position - from;
        // A placeholder has no embedding to look up: its id may lie beyond the vocabulary.
        if (!isVisual) {
          ids[at] = id;
          return;
        }
        const tile = plan.sequenceTiles[Math.floor(index / perTile)];
        if (tile !== undefined) slots[at] = offsets[sample]! + tile * perTile + (index % perTile);
      });
      if (features && visual !== plan.sequenceTiles.length * perTile) {
        throw new NvlmError(
          'bad-data',
          `The sequence has ${visual} image placeholders, its ${plan.sequenceTiles.length} tiles need ${plan.sequenceTiles.length * perTile}.`,
          'Put one placeholder id for every visual token that stands in the sequence.',
        );
      }
    });
    return { ids, slots };
  }

  /** Keys and values for X (tile tokens) and H (tag embeddings, then tile tokens, a tile after the other); null when nobody has any. */
  private crossInput(samples: readonly Sample[], table: Tensor2D | null, offsets: readonly number[]) {
    if (!table) return null;
    const perTile = tokensPerTile(this.config);
    const keys = samples.map(({ plan, features }) =>
      features ? plan.crossTiles.length * perTile + plan.crossTagIds.reduce((sum, tag) => sum + tag.length, 0) : 0,
    );
    const length = Math.max(...keys);
    if (length === 0) return null;
    const batch = samples.length;
    const rows: RowSources = { ids: new Int32Array(batch * length), slots: new Int32Array(batch * length).fill(-1) };
    const keyTiles = new Int32Array(batch * length).fill(-1);
    samples.forEach(({ plan, features }, sample) => {
      if (!features) return;
      let at = sample * length;
      plan.crossTiles.forEach((tile, n) => {
        for (const id of plan.crossTagIds[n] ?? []) {
          rows.ids[at] = id;
          keyTiles[at++] = n;
        }
        for (let token = 0; token < perTile; token++) {
          rows.slots[at] = offsets[sample]! + tile * perTile + token;
          keyTiles[at++] = n;
        }
      });
    });
    const tokens = this.embedRows(rows, table).reshape<Tensor3D>([batch, length, this.config.llm.hiddenSize]);
    const tiles = Math.max(...samples.map(({ plan }) => plan.crossTiles.length));
    return crossKeysAndValues(tokens, tf.tensor2d(keyTiles, [batch, length], 'int32'), tiles, this.config, this.weights);
  }
}

function kept(cross: NonNullable<KvCache['cross']>): NonNullable<KvCache['cross']> {
  for (const { k, v } of cross.layers.values()) {
    tf.keep(k);
    tf.keep(v);
  }
  tf.keep(cross.keyTiles);
  return cross;
}

function positionsOf(batch: number, length: number, start: number): Int32Array {
  return Int32Array.from({ length: batch * length }, (_, i) => start + (i % length));
}

/** [pieces · length, tiles] i32 from the plans' own masks; padding rows see nothing. */
function crossRows(samples: readonly Sample[], pieces: readonly Piece[], length: number, tiles: number): Int32Array {
  const out = new Int32Array(pieces.length * length * tiles);
  pieces.forEach(({ sample, from, to }, row) => {
    const { plan } = samples[sample]!;
    const own = plan.crossTiles.length;
    for (let position = from; position < to; position++) {
      for (let tile = 0; tile < own; tile++) {
        out[(row * length + position - from) * tiles + tile] = plan.crossMask[position * own + tile]!;
      }
    }
  });
  return out;
}

/** Keys of a block: its prefix's rows, then its own; what is behind them is later than every row of the block, so not seen. */
function placesOf({ prefixes, blocks, prefixLength, blockLength }: SharedPrefixes): SharedPlaces {
  const keys = prefixLength + blockLength;
  const keyRows = new Int32Array(blocks.length * keys);
  blocks.forEach(({ prefix, from, to }, block) => {
    for (let position = 0; position < to; position++) {
      const own = prefixes.length * prefixLength + block * blockLength + position - from;
      keyRows[block * keys + position] = position < from ? prefix * prefixLength + position : own;
    }
  });
  return {
    keyRows: tf.tensor1d(keyRows, 'int32'),
    prefixStarts: tf.zeros<Rank.R1>([prefixes.length], 'int32'),
    blockStarts: tf.tensor1d(
      blocks.map(({ from }) => from),
      'int32',
    ),
    prefixOf: tf.tensor1d(
      blocks.map(({ prefix }) => prefix),
      'int32',
    ),
  };
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
