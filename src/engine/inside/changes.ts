import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs';
import { NvlmError } from '../../errors.ts';
import { hasCrossAttention, type NvlmConfig } from '../../nvlm/config.ts';
import { tileTags } from '../../tiling/tags.ts';
import type { Tiling } from '../../tiling/types.ts';
import type { InsideChanges } from './inside-api.ts';

/** Features with some tiles replaced by one other; the caller's to dispose. @param painted [1, tokens, C] */
export function withTiles(features: Tensor3D, tiles: readonly number[], painted: Tensor3D): Tensor3D {
  return tf.tidy(() => {
    const own = tf.unstack(features) as tf.Tensor2D[];
    const [other] = tf.unstack(painted) as tf.Tensor2D[];
    return tf.stack(own.map((tile, index) => (tiles.includes(index) ? other! : tile))) as Tensor3D;
  });
}

/** Features in another order of the regular tiles, behind them the thumbnail as it was; the caller's to dispose. */
export function inOrder(features: Tensor3D, order: readonly number[]): Tensor3D {
  const rest = Array.from({ length: features.shape[0] - order.length }, (_, k) => order.length + k);
  return tf.tidy(() => tf.gather(features, tf.tensor1d([...order, ...rest], 'int32')));
}

/** The tiles under other names. */
export function withTags(tiling: Tiling, format: InsideChanges['tagFormat']): Pick<Tiling, 'tiles'> {
  if (format === undefined) return tiling;
  const tags = tileTags(tiling.grid, tiling.tiles.length, format);
  return { tiles: tiling.tiles.map((tile, index) => ({ ...tile, tag: tags[index]! })) };
}

/** Scalars by layer; the caller's to dispose. */
export function gateTensors(gates: InsideChanges['gates']): Map<number, Tensor> {
  return new Map(Object.entries(gates ?? {}).map(([layer, value]) => [Number(layer), tf.keep(tf.scalar(value))]));
}

/** @throws NvlmError `usage` for layers, tiles or orders that the model or the picture has not got */
export function checkChanges({ gates, hide, order }: InsideChanges, config: NvlmConfig, tiling: Tiling | null): void {
  for (const [layer, value] of Object.entries(gates ?? {})) {
    const index = Number(layer);
    const exists = Number.isInteger(index) && index >= 0 && index < config.llm.layers && hasCrossAttention(config, index);
    if (!exists) throw refuse(`Layer ${layer} has no gate`, 'Name a layer with cross-attention; layers count from 0.');
    if (!(value >= -1 && value <= 1)) throw refuse(`A gate of ${value} is not possible`, 'Give a value from −1 to 1: 0 is closed, 1 open.');
  }
  const tiles = tiling?.tiles.length ?? 0;
  const wrong = (hide ?? []).find((tile) => !(Number.isInteger(tile) && tile >= 0 && tile < tiles));
  if (wrong !== undefined) throw refuse(`There is no tile ${wrong}`, tiles > 0 ? `Tiles are 0 to ${tiles - 1}.` : 'The question has no picture.');
  if (!order) return;
  const regular = (tiling?.tiles ?? []).filter(({ thumbnail }) => !thumbnail).length;
  const isPermutation = order.length === regular && new Set(order).size === regular && order.every((tile) => Number.isInteger(tile) && tile >= 0 && tile < regular);
  if (!isPermutation) throw refuse('The order is not a permutation of the regular tiles', `Name each of 0 to ${regular - 1} once.`);
}

function refuse(what: string, fix: string): NvlmError {
  return new NvlmError('usage', `${what}.`, fix);
}
