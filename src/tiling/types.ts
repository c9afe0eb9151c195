import type { TagFormat } from './tags.ts';

/** 8-bit RGB picture, row-major, three bytes a pixel, alpha already composited on white. */
export interface RgbImage {
  width: number;
  height: number;
  /** length = width · height · 3 */
  data: Uint8Array;
  /** The same samples before they were rounded to 8 bits, 0–255, where a model is shown those: then `data` is for the eye. */
  exact?: Float32Array;
}

export type { TagFormat } from './tags.ts';

export interface TilingOptions {
  /** Most regular tiles (the paper: 6). */
  maxTiles: number;
  /** Side of a tile in pixels (the paper: 448). */
  tileSize: number;
  /** Add the whole picture as a tile of its own when there is more than one (default true). */
  useThumbnail?: boolean;
}

/** How a family cuts pictures: what grid, resized how, and where the thumbnail stands. */
export interface Tiler {
  /** Most regular tiles that the rule can be asked for. */
  mostTiles: number;
  /** Tile sizes are multiples of it, in pixels. */
  tileStep: number;
  /** @throws NvlmError `usage` for options or sizes out of range */
  chooseGrid(width: number, height: number, maxTiles: number, tileSize: number): GridChoice;
  /** The picture as it is cut up: cols · tileSize wide, rows · tileSize high. */
  canvas(image: RgbImage, grid: { cols: number; rows: number }, tileSize: number): RgbImage;
  /** The whole picture on one tile. */
  thumbnail(image: RgbImage, canvas: RgbImage, tileSize: number): RgbImage;
  /** Before all tiles or after them. */
  thumbnailPlace: 'first' | 'last';
}

/** One grid that could have been chosen, in the order the chooser looked at them. */
export interface GridCandidate {
  cols: number;
  rows: number;
  /** |width/height − cols/rows| */
  difference: number;
  chosen: boolean;
  /** Difference equals the best one before it; `tieWon` says whether the area rule then preferred it. */
  tie: boolean;
  tieWon: boolean;
}

export interface GridChoice {
  cols: number;
  rows: number;
  /** width / height of the original picture */
  aspect: number;
  candidates: GridCandidate[];
  /** Plain-words account of why this grid won, the tie rule included when it decided. */
  reason: string;
}

/** Rectangle in pixels of the canvas (the resized picture); `x`,`y` left-top. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where a tile lies, without its pixels. */
export interface TileLayout {
  /** Place in the sequence, from 0. */
  index: number;
  col: number;
  row: number;
  box: Box;
  thumbnail: boolean;
  /** Tag text, e.g. `<tile_1>`; empty with format `none`. */
  tag: string;
}

export interface Tile extends TileLayout {
  /** tileSize × tileSize, exactly as the model sees it before normalisation. */
  pixels: RgbImage;
}

export interface Tiling {
  image: { width: number; height: number };
  options: Required<TilingOptions>;
  tagFormat: TagFormat;
  grid: GridChoice;
  /** The whole picture resized to cols·tileSize × rows·tileSize. */
  canvas: RgbImage;
  /** In sequence order: row-major, the thumbnail before or behind them. A one-tile picture has one tile, tagged as the thumbnail. */
  tiles: Tile[];
}
