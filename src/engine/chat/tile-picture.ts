import { NvlmError } from '../../errors.ts';
import type { NvlmConfig } from '../../nvlm/config.ts';
import { toPixelValues } from '../../tiling/pixel-values.ts';
import { tileImage } from '../../tiling/tile-image.ts';
import type { RgbImage, Tiling } from '../../tiling/types.ts';

/**
 * A picture cut up as this model sees it.
 *
 * @param maxTiles most regular tiles; null = the model's own maximum
 * @throws NvlmError `usage` for a text model or a number out of range
 */
export function tilePicture(picture: RgbImage, config: NvlmConfig, maxTiles: number | null): Tiling {
  if (!config.vision) {
    throw new NvlmError(
      'usage',
      'This is a text model: it cannot see pictures.',
      'Remove the picture, or load a model that sees pictures.',
    );
  }
  const { tileSize, useThumbnail, tagFormat, tiler } = config;
  return tileImage(picture, { maxTiles: maxTiles ?? config.maxTiles, tileSize, useThumbnail }, tagFormat, tiler);
}

/** What the vision encoder reads of it: f32 [tiles, 3, S, S], in sequence order. */
export function pixelsOf({ tiles }: Pick<Tiling, 'tiles'>, { normalisation }: Pick<NvlmConfig, 'normalisation'>): Float32Array {
  return toPixelValues(
    tiles.map((tile) => tile.pixels),
    normalisation,
  );
}
