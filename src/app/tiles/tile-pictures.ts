import type { TilePicture } from '../../../workers/bitmaps.ts';
import { throwIfAborted } from '../../errors.ts';
import type { Tiling } from '../../tiling/types.ts';
import type { Pictures } from '../pictures-client.ts';

/**
 * Every tile as bitmaps. One after the other, so that a cut that is overtaken leaves nothing waiting in the worker. The
 * pixels of `tiling` move there and are gone.
 *
 * @param across visual tokens along a side of a tile
 */
export async function drawTiles(pictures: Pictures, tiling: Tiling, across: number, signal: AbortSignal): Promise<TilePicture[]> {
  const drawn: TilePicture[] = [];
  for (const tile of tiling.tiles) {
    drawn.push(await pictures.tile(tile.pixels, across));
    throwIfAborted(signal);
  }
  return drawn;
}

/** What to draw a tile from that is shown `side` CSS pixels large. */
export function pictureFor({ pixels, small }: TilePicture, side: number): ImageBitmap {
  return side * window.devicePixelRatio <= small.width ? small : pixels;
}
