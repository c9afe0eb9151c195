import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import type { TokenPlan } from '../../text/types.ts';
import type { Tiling } from '../../tiling/types.ts';
import type { CallOptions } from '../api.ts';
import { pixelsOf } from '../chat/tile-picture.ts';
import { yieldToEventLoop } from '../yield.ts';
import { withTiles } from './changes.ts';
import type { PaintedPart, WorthEvent } from './inside-api.ts';
import type { Trace } from './trace.ts';

/**
 * What parts of the picture are worth: log p of each token of the answer, minus the same with that part painted in the mean colour
 * (0 after normalisation) before the vision encoder. Computed again is only what changes: the painted tiles in the encoder, the
 * decoder from the first position that reads them.
 *
 * @param regions each is painted alone
 * @param logp of the answer as it was said
 */
export async function tileWorth(
  trace: Trace,
  tiling: Tiling,
  regions: readonly (readonly PaintedPart[])[],
  logp: readonly number[],
  { signal, onEvent }: CallOptions & { onEvent: (event: WorthEvent) => void },
): Promise<void> {
  const features = trace.input.features!;
  regions.flat().forEach((part) => checkPart(part, tiling));
  const first = regions.map((parts) => Math.min(...parts.map(({ tile }) => firstReader(trace.input.plan, tile))));
  // The last position first: what stands before a change is right in the cache for all that follow.
  const order = regions.map((_, region) => region).sort((a, b) => first[b]! - first[a]!);
  let blank: Tensor3D | null = null;
  try {
    let done = 0;
    for (const region of order) {
      throwIfAborted(signal);
      let painted = features.clone();
      try {
        for (const { tile, box } of regions[region]!) {
          // A tile that is all one colour looks the same wherever it lies.
          const tileFeatures = box ? encodePainted(trace.model, tiling, { tile, box }) : (blank ??= encodeBlank(trace.model));
          const next = withTiles(painted, [tile], tileFeatures);
          painted.dispose();
          if (box) tileFeatures.dispose();
          painted = next;
        }
        const without = await trace.logpWith(painted, first[region]!, { signal });
        onEvent({ region, worth: without.map((value, token) => logp[token]! - value), done: ++done, total: regions.length });
      } finally {
        painted.dispose();
      }
      await yieldToEventLoop();
    }
  } finally {
    tf.dispose(blank ?? []);
  }
}

/** A tile painted whole. @returns [1, tokensPerTile, C]; the caller's to dispose */
export function encodeBlank(model: NvlmModel): Tensor3D {
  return model.imageFeatures(new Float32Array(3 * model.config.tileSize ** 2), 1);
}

function encodePainted(model: NvlmModel, tiling: Tiling, { tile, box }: Required<PaintedPart>): Tensor3D {
  const shown = tiling.tiles[tile]!;
  const values = pixelsOf({ tiles: [shown] }, model.config);
  const side = shown.pixels.width;
  for (let channel = 0; channel < 3; channel++) {
    for (let y = box.y; y < box.y + box.height; y++) {
      const from = channel * side * side + y * side + box.x;
      values.fill(0, from, from + box.width);
    }
  }
  return model.imageFeatures(values, 1);
}

/** The first position whose residual stream a tile can change: where its cells stand, or who sees it through cross-attention. */
export function firstReader({ segments, crossTiles, crossMask, inputIds }: TokenPlan, tile: number): number {
  const cells = segments.find((segment) => segment.kind === 'visual' && segment.tile === tile);
  const column = crossTiles.indexOf(tile);
  let row = inputIds.length;
  if (column >= 0) for (row = 0; row < inputIds.length && crossMask[row * crossTiles.length + column] === 0; row++);
  return Math.min(cells?.start ?? inputIds.length, row);
}

function checkPart({ tile, box }: PaintedPart, { tiles }: Tiling): void {
  const layout = tiles[tile];
  const side = layout?.pixels.width ?? 0;
  const inside =
    !box ||
    ([box.x, box.y, box.width, box.height].every((value) => Number.isInteger(value) && value >= 0) &&
      box.x + box.width <= side &&
      box.y + box.height <= side);
  if (layout && inside) return;
  throw new NvlmError(
    'usage',
    layout ? `The box does not lie in tile ${tile}.` : `There is no tile ${tile}.`,
    layout ? `Give whole pixels within ${side} × ${side}.` : `Tiles are 0 to ${tiles.length - 1}.`,
  );
}
