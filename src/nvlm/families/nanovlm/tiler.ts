import { checkGridOptions } from '../../../tiling/options.ts';
import { resizeImage, resizeUnrounded } from '../../../tiling/resize.ts';
import type { GridChoice, Tiler } from '../../../tiling/types.ts';

export interface SideRule {
  /** The longer side of every picture before it is cut, in pixels, whole tiles (`max_img_size`). */
  longestSide: number;
  /** Small pictures are enlarged to it too (`resize_to_max_side_len`); else to the next whole tile. */
  enlarge: boolean;
  /** Side of a tile. */
  tileSize: number;
  /** Tile sizes are multiples of it. */
  tileStep: number;
}

/**
 * nanoVLM's rule (`DynamicResize`, `GlobalAndSplitImages`): the longer side becomes whole tiles, the shorter one as many as its share
 * needs, bicubic on 8 bits; the global view is made of that, bilinear and not rounded, and stands first.
 */
export function sideTiler({ longestSide, enlarge, tileSize: ownTileSize, tileStep }: SideRule): Tiler {
  const limits = { mostTiles: (longestSide / ownTileSize) ** 2, tileStep };

  function chooseGrid(width: number, height: number, maxTiles: number, tileSize: number): GridChoice {
    checkGridOptions(maxTiles, tileSize, limits);
    const [long, short] = [Math.max(width, height), Math.min(width, height)];
    const gridFor = (side: number) => {
      const across = side / tileSize;
      // In the order of the original: the products are rounded.
      const along = Math.max(1, Math.ceil((short * (side / long)) / tileSize));
      return width >= height ? { cols: across, rows: along } : { cols: along, rows: across };
    };
    const most = Math.floor(longestSide / tileSize) * tileSize;
    const wanted = enlarge ? most : Math.min(most, Math.ceil(long / tileSize) * tileSize);
    let side = wanted;
    while (side > tileSize && gridFor(side).cols * gridFor(side).rows > maxTiles) side -= tileSize;
    const { cols, rows } = gridFor(side);
    const aspect = width / height;
    const difference = Math.abs(aspect - cols / rows);
    const limited = side < wanted ? `, so that there are at most ${maxTiles} tiles` : '';
    const reason = `The longer side becomes ${side} pixels${limited}, and the shorter one whole tiles: ${cols}×${rows}.`;
    return { cols, rows, aspect, candidates: [{ cols, rows, difference, chosen: true, tie: false, tieWon: false }], reason };
  }

  return {
    ...limits,
    chooseGrid,
    canvas: (image, { cols, rows }, tileSize) => resizeImage(image, cols * tileSize, rows * tileSize, 'bicubic'),
    thumbnail: (_image, canvas, tileSize) => resizeUnrounded(canvas, tileSize, tileSize),
    thumbnailPlace: 'first',
  };
}

/** The rule of the models that see one tile: the whole picture on it, its aspect ratio not kept, bilinear as Pillow does it. */
export function wholeTiler(tileStep: number): Tiler {
  const limits = { mostTiles: 1, tileStep };
  return {
    ...limits,
    chooseGrid(width, height, maxTiles, tileSize) {
      checkGridOptions(maxTiles, tileSize, limits);
      const aspect = width / height;
      const only = { cols: 1, rows: 1, difference: Math.abs(aspect - 1), chosen: true, tie: false, tieWon: false };
      return { cols: 1, rows: 1, aspect, candidates: [only], reason: 'This model sees every picture as one tile.' };
    },
    canvas: (image, _grid, tileSize) => resizeImage(image, tileSize, tileSize, 'bilinear'),
    thumbnail: (image, _canvas, tileSize) => resizeImage(image, tileSize, tileSize, 'bilinear'),
    thumbnailPlace: 'first',
  };
}
