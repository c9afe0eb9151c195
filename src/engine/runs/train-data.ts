import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import type { Device } from '../../device/types.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import type { Trainer } from '../../training/trainer.ts';
import { tileForModel, type ReadImage } from './plan-examples.ts';
import { pixelsOf } from '../chat/tile-picture.ts';
import { encodeTiles } from '../chat/vision.ts';
import { digestOf, featureKey, type FeatureStore } from './feature-store.ts';

/** Kept features; what goes beyond is encoded again when its picture comes round. */
export const MOST_FEATURE_BYTES = 256 * 2 ** 20;

/**
 * The frozen part of every picture's way, computed when it is first needed and kept within a bound, last used longest; and in the
 * store, where there is one, for the runs to come.
 */
export class TrainingImages {
  private readonly kept = new Map<string, Tensor3D>();
  private encoder: Promise<string> | null = null;

  constructor(
    private readonly model: NvlmModel,
    private readonly trainer: Trainer,
    private readonly device: Pick<Device, 'read'>,
    private readonly readImage: ReadImage,
    private readonly maxTiles: number | null,
    private readonly store: FeatureStore | null = null,
    private readonly mostBytes = MOST_FEATURE_BYTES,
  ) {}

  /** The cache's own; valid until {@link trim}. */
  async get(path: string, signal?: AbortSignal): Promise<Tensor3D> {
    const known = this.kept.get(path);
    if (known) {
      // Behind the others: a Map keeps the order in which its entries were set.
      this.kept.delete(path);
      this.kept.set(path, known);
      return known;
    }
    const tiling = await tileForModel(this.model, await this.readImage(path), this.maxTiles);
    const features = await this.featuresOf(pixelsOf(tiling, this.model.config), tiling.tiles.length, signal);
    this.kept.set(path, features);
    return features;
  }

  private async featuresOf(pixels: Float32Array, tiles: number, signal?: AbortSignal): Promise<Tensor3D> {
    if (!this.store) return this.encode(pixels, tiles, signal);
    const key = featureKey(await (this.encoder ??= this.fingerprint(pixels.length / tiles)), pixels, tiles);
    const stored = await this.store.read(key);
    if (stored) return tf.tensor3d(stored.data, stored.shape);
    const encoded = await this.encode(pixels, tiles, signal);
    await this.store.write(key, { shape: encoded.shape, data: (await this.device.read(encoded)) as Float32Array });
    return encoded;
  }

  private encode(pixels: Float32Array, tiles: number, signal?: AbortSignal): Promise<Tensor3D> {
    const encode = (some: Float32Array, count: number) => this.trainer.prepareImage(some, count);
    return encodeTiles(this.model, pixels, tiles, { signal, encode });
  }

  /** Tells this frozen part on this device from any other, by what it makes of one tile. */
  private async fingerprint(values: number): Promise<string> {
    const tile = Float32Array.from({ length: values }, (_, i) => Math.sin(i * 0.37) + Math.sin(i * 0.0011));
    const seen = await this.encode(tile, 1);
    try {
      const { buffer, byteOffset, byteLength } = await this.device.read(seen);
      return digestOf(new Uint8Array(buffer, byteOffset, byteLength));
    } finally {
      seen.dispose();
    }
  }

  /** Frees what is beyond the bound; called between steps, when no batch holds anything. */
  trim(): void {
    let bytes = [...this.kept.values()].reduce((sum, { size }) => sum + size * 4, 0);
    for (const [path, tensor] of this.kept) {
      if (bytes <= this.mostBytes) return;
      bytes -= tensor.size * 4;
      tensor.dispose();
      this.kept.delete(path);
    }
  }

  dispose(): void {
    tf.dispose([...this.kept.values()]);
    this.kept.clear();
  }
}
