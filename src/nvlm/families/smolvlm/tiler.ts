import { checkGridOptions } from '../../../tiling/options.ts';
import { resizeImage, type ResizeFilter } from '../../../tiling/resize.ts';
import type { GridChoice, RgbImage, Tiler } from '../../../tiling/types.ts';

/** No picture is made larger than this, whatever a file says (`MAX_IMAGE_SIZE` of the image processor). */
const LONGEST_EDGE_OF_ALL = 4096;

export interface EdgeRule {
  /** The longer side of every picture before it is cut, in pixels (`size.longest_edge`). */
  longestEdge: number;
  /** Cut into tiles; otherwise every picture is one tile (`do_image_splitting`). */
  split: boolean;
  filter: ResizeFilter;
  /** Side of a tile that the model was made for. */
  tileSize: number;
  /** Tile sizes are multiples of it. */
  tileStep: number;
}

/**
 * The rule of Idefics3 and SmolVLM (`Idefics3ImageProcessor` of transformers): the picture's longer side becomes `longestEdge`, its aspect
 * ratio kept; then both sides are rounded up to whole tiles; the global view is made of that, and stands last. There is nothing to choose
 * between: fewer tiles are had by a smaller longest edge.
 */
export function edgeTiler({ longestEdge, split, filter, tileSize: ownTileSize, tileStep }: EdgeRule): Tiler {
  const most = split ? Math.ceil(Math.min(longestEdge, LONGEST_EDGE_OF_ALL) / ownTileSize) : 1;
  const limits = { mostTiles: most ** 2, tileStep };

  /** The longer side that a picture of these proportions gets, in tiles and pixels, for at most so many tiles. */
  function chooseGrid(width: number, height: number, maxTiles: number, tileSize: number): GridChoice {
    checkGridOptions(maxTiles, tileSize, limits);
    let edge = longestEdge;
    let grid = split ? gridOf(width, height, edge, tileSize) : { cols: 1, rows: 1 };
    while (grid.cols * grid.rows > maxTiles) {
      edge = tileSize * (Math.max(grid.cols, grid.rows) - 1);
      grid = gridOf(width, height, edge, tileSize);
    }
    const { cols, rows } = grid;
    const aspect = width / height;
    const difference = Math.abs(aspect - cols / rows);
    const limited = edge < longestEdge ? `, so that there are at most ${maxTiles} tiles` : '';
    const reason = split
      ? `The longer side becomes ${edge} pixels${limited}, and both are rounded up to whole tiles: ${cols}×${rows}.`
      : 'This model sees every picture as one tile.';
    return { cols, rows, aspect, candidates: [{ cols, rows, difference, chosen: true, tie: false, tieWon: false }], reason };
  }

  function canvas(image: RgbImage, { cols, rows }: { cols: number; rows: number }, tileSize: number): RgbImage {
    const edge = split ? Math.min(longestEdge, tileSize * Math.max(cols, rows)) : longestEdge;
    const first = firstSize(image.width, image.height, edge);
    return resizeImage(resizeImage(image, first.width, first.height, filter), cols * tileSize, rows * tileSize, filter);
  }

  return {
    ...limits,
    chooseGrid,
    canvas,
    thumbnail: (_image, cut, tileSize) => resizeImage(cut, tileSize, tileSize, filter),
    thumbnailPlace: 'last',
  };
}

/** The first resize: the longer side `edge`, the other even, neither above what any picture may have. */
function firstSize(width: number, height: number, edge: number): { width: number; height: number } {
  const aspect = width / height;
  const even = (value: number) => Math.max(1, Math.trunc(value) + (Math.trunc(value) % 2));
  const [w, h] = width >= height ? [edge, even(edge / aspect)] : [even(edge * aspect), edge];
  if (Math.max(w, h) <= LONGEST_EDGE_OF_ALL) return { width: w, height: h };
  const ratio = w / h;
  return w >= h
    ? { width: LONGEST_EDGE_OF_ALL, height: Math.max(1, Math.trunc(LONGEST_EDGE_OF_ALL / ratio)) }
    : { width: Math.max(1, Math.trunc(LONGEST_EDGE_OF_ALL * ratio)), height: LONGEST_EDGE_OF_ALL };
}

/** Whole tiles of the first size, the shorter side by the aspect ratio of the longer one's whole tiles. */
function gridOf(width: number, height: number, edge: number, tileSize: number): { cols: number; rows: number } {
  const first = firstSize(width, height, edge);
  const aspect = first.width / first.height;
  if (first.width >= first.height) {
    const cols = Math.ceil(first.width / tileSize);
    return { cols, rows: Math.ceil(Math.trunc((cols * tileSize) / aspect) / tileSize) };
  }
  const rows = Math.ceil(first.height / tileSize);
  return { cols: Math.ceil(Math.trunc(rows * tileSize * aspect) / tileSize), rows };
}
