import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import type { NvlmModel } from '../../nvlm/model.ts';
import type { Trainer } from '../../training/trainer.ts';
import { tileForModel, type ReadImage } from './plan-examples.ts';
import { pixelsOf } from '../chat/tile-picture.ts';
import { encodeTiles } from '../chat/vision.ts';

/** Kept features; what goes beyond is encoded again when its picture comes round. */
export const MOST_FEATURE_BYTES = 256 * 2 ** 20;

/**
 * The frozen part of every picture's way, computed when it is first needed and kept within a bound, last used longest.
 */
export class TrainingImages {
  private readonly kept = new Map<string, Tensor3D>();

  constructor(
    private readonly model: NvlmModel,
    private readonly trainer: Trainer,
    private readonly readImage: ReadImage,
    private readonly maxTiles: number | null,
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
    const pixels = pixelsOf(tiling, this.model.config);
    const encode = (some: Float32Array, count: number) => this.trainer.prepareImage(some, count);
    const encoded = await encodeTiles(this.model, pixels, tiling.tiles.length, { signal, encode });
    this.kept.set(path, encoded);
    return encoded;
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
