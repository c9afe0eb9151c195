import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { releaseUnused } from '../../device/tensor-memory.ts';
import { throwIfAborted } from '../../errors.ts';
import { visionRows } from '../../nvlm/config.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { yieldToEventLoop } from '../yield.ts';

/** Rows of the vision encoder computed at once: enough to fill a GPU, few enough to show progress and to stop in between. */
export const ROWS_AT_ONCE = 2048;

/**
 * Image features of all tiles, a few tiles at a time.
 *
 * @param pixels [tiles, 3, S, S] f32, normalised
 * @returns [tiles, tokensPerTile, decoderWidth]; the caller's to dispose
 */
export async function encodeTiles(
  model: NvlmModel,
  pixels: Float32Array,
  tiles: number,
  {
    signal,
    onTiles,
    encode = (pixels, tiles) => model.imageFeatures(pixels, tiles),
  }: {
    signal?: AbortSignal;
    onTiles?: (done: number) => void;
    /** What is computed of a few tiles; training wants another part than chat. */
    encode?: (pixels: Float32Array, tiles: number) => Tensor3D;
  } = {},
): Promise<Tensor3D> {
  const { vision } = model.config;
  const rows = vision ? visionRows(vision) : 1;
  const atOnce = Math.max(1, Math.floor(ROWS_AT_ONCE / rows));
  const perTile = pixels.length / tiles;
  const parts: Tensor3D[] = [];
  try {
    for (let tile = 0; tile < tiles; tile += atOnce) {
      throwIfAborted(signal);
      const count = Math.min(atOnce, tiles - tile);
      parts.push(encode(pixels.subarray(tile * perTile, (tile + count) * perTile), count));
      onTiles?.(tile + count);
      await yieldToEventLoop();
    }
    return parts.length === 1 ? parts.pop()! : tf.concat(parts, 0);
  } finally {
    tf.dispose(parts);
    // Nothing of the encoder's sizes is asked for again before the next picture.
    releaseUnused();
  }
}
