/** 8-bit RGB picture, row-major, three bytes a pixel, alpha already composited on white. */
export interface RgbImage {
  width: number;
  height: number;
  /** length = width · height · 3 */
  data: Uint8Array;
}

/** How a tile is named in the text (NVLM paper §4.2). */
export type TagFormat = '1d' | '2d-grid' | '2d-bbox' | 'none';

export interface TilingOptions {
  /** Most regular tiles, 1–12 (the paper: 6). */
  maxTiles: number;
  /** Side of a tile in pixels, a multiple of 28 (the paper: 448). */
  tileSize: number;
  /** Append the whole picture as a last tile when there is more than one (default true). */
  useThumbnail?: boolean;
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
  /** Place in the sequence, from 0; the thumbnail is last. */
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
  /** Row-major, thumbnail last. A one-tile picture has one tile, tagged as the thumbnail. */
  tiles: Tile[];
}
