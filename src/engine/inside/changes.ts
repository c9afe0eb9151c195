import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs';
import { NvlmError } from '../../errors.ts';
import { hasCrossAttention, type NvlmConfig } from '../../nvlm/config.ts';
import { tileTags } from '../../tiling/tags.ts';
import type { TileLayout, Tiling } from '../../tiling/types.ts';
import type { InsideChanges } from './inside-api.ts';

/** Features with some tiles replaced by one other; the caller's to dispose. @param painted [1, tokens, C] */
export function withTiles(features: Tensor3D, tiles: readonly number[], painted: Tensor3D): Tensor3D {
  return tf.tidy(() => {
    const own = tf.unstack(features) as tf.Tensor2D[];
    const [other] = tf.unstack(painted) as tf.Tensor2D[];
    return tf.stack(own.map((tile, index) => (tiles.includes(index) ? other! : tile))) as Tensor3D;
  });
}

/** Places of the regular tiles in the sequence: the thumbnail may stand before or behind them. */
export function regularPlaces(tiles: readonly Pick<TileLayout, 'thumbnail'>[]): number[] {
  return [...tiles.keys()].filter((place) => !tiles[place]!.thumbnail);
}

/** Which tile stands at each place of the sequence. @param order of the regular tiles among themselves; the thumbnail stays */
function placesIn(order: readonly number[], tiles: readonly Pick<TileLayout, 'thumbnail'>[]): number[] {
  const regular = regularPlaces(tiles);
  const from = [...tiles.keys()];
  regular.forEach((place, number) => (from[place] = regular[order[number]!]!));
  return from;
}

/** Features with the regular tiles in another order; the caller's to dispose. */
export function inOrder(features: Tensor3D, order: readonly number[], { tiles }: Tiling): Tensor3D {
  return tf.tidy(() => tf.gather(features, tf.tensor1d(placesIn(order, tiles), 'int32')));
}

/** The tiles as the sequence has them: each place shows the tile that stands there, under the place's name in the format that is asked for. */
export function changedTiling(tiling: Tiling, { order, tagFormat }: InsideChanges): Tiling {
  const { tiles, grid } = tiling;
  // Those of the regular tiles, row by row, the thumbnail's behind them.
  const tags = tileTags(grid, tiles.length, tagFormat ?? tiling.tagFormat);
  const regular = regularPlaces(tiles);
  const from = order ? placesIn(order, tiles) : [...tiles.keys()];
  const shown = from.map((tile, index) => ({
    ...tiles[tile]!,
    index,
    tag: tiles[index]!.thumbnail ? tags.at(-1)! : tags[regular.indexOf(index)]!,
  }));
  return { ...tiling, tagFormat: tagFormat ?? tiling.tagFormat, tiles: shown };
}

/** Scalars by layer; the caller's to dispose. */
export function gateTensors(gates: InsideChanges['gates']): Map<number, Tensor1D> {
  return new Map(Object.entries(gates ?? {}).map(([layer, value]) => [Number(layer), tf.keep(tf.tensor1d([value]))]));
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
  if (wrong !== undefined)
    throw refuse(`There is no tile ${wrong}`, tiles > 0 ? `Tiles are 0 to ${tiles - 1}.` : 'The question has no picture.');
  if (!order) return;
  const regular = regularPlaces(tiling?.tiles ?? []).length;
  const isPermutation =
    order.length === regular &&
    new Set(order).size === regular &&
    order.every((tile) => Number.isInteger(tile) && tile >= 0 && tile < regular);
  if (!isPermutation) throw refuse('The order is not a permutation of the regular tiles', `Name each of 0 to ${regular - 1} once.`);
}

function refuse(what: string, fix: string): NvlmError {
  return new NvlmError('usage', `${what}.`, fix);
}
