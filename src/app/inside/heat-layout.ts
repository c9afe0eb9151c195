import type { PictureLayout } from '../../engine/inside/inside-api.ts';

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface HeatLayout {
  height: number;
  /** The whole picture, where it is drawn joined. */
  picture: Rect;
  /** By place in the sequence. */
  tiles: Rect[];
}

const GAP = 10;
/** Below this width the thumbnail stands under the picture. */
const NARROW = 460;
const THUMBNAIL = { least: 76, most: 180, share: 0.24 };

/**
 * Where picture, tiles and thumbnail stand: joined, the tiles are cells of the picture in its own proportions; cut, they are squares with
 * gaps between them. The thumbnail stands apart.
 */
export function heatLayout(layout: PictureLayout, view: 'joined' | 'tiles', width: number, mostHeight: number): HeatLayout {
  const { cols, rows } = layout.grid;
  const thumbnail = layout.tiles.find((tile) => tile.thumbnail);
  const beside = width >= NARROW;
  const side = thumbnail ? Math.min(THUMBNAIL.most, Math.max(THUMBNAIL.least, width * THUMBNAIL.share)) : 0;
  const room = {
    width: width - (thumbnail && beside ? side + 2 * GAP : 0),
    height: mostHeight - (thumbnail && !beside ? side + 2 * GAP : 0),
  };
  const gap = view === 'tiles' ? GAP : 0;
  // Of the parts without the gaps between them.
  const aspect = view === 'tiles' ? cols / rows : layout.image.width / layout.image.height;
  const inner = { width: room.width - gap * (cols - 1), height: Math.max(rows, room.height - gap * (rows - 1)) };
  const w = Math.max(cols, Math.min(inner.width, inner.height * aspect));
  const h = Math.max(rows, w / aspect);
  const picture = {
    x: beside ? 0 : (room.width - w - gap * (cols - 1)) / 2,
    y: 0,
    width: w + gap * (cols - 1),
    height: h + gap * (rows - 1),
  };
  const cell = { width: w / cols, height: h / rows };
  const tiles = layout.tiles.map(({ col, row, thumbnail: small }): Rect => {
    if (!small) return { x: picture.x + col * (cell.width + gap), y: row * (cell.height + gap), ...cell };
    return beside
      ? { x: picture.width + 2 * GAP, y: 0, width: side, height: side }
      : { x: (width - side) / 2, y: picture.height + 2 * GAP, width: side, height: side };
  });
  return { height: Math.max(...[picture, ...tiles].map(({ y, height }) => y + height)), picture, tiles };
}

/** The cell under a point; null between tiles. */
export function cellAt({ tiles }: HeatLayout, across: number, x: number, y: number): { tile: number; cell: number } | null {
  const tile = tiles.findIndex((rect) => x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height);
  const rect = tiles[tile];
  if (!rect) return null;
  const at = (offset: number, length: number) => Math.min(across - 1, Math.floor((offset / length) * across));
  return { tile, cell: at(y - rect.y, rect.height) * across + at(x - rect.x, rect.width) };
}

/** Where a cell is drawn. */
export function cellRect({ tiles }: HeatLayout, across: number, tile: number, cell: number): Rect {
  const rect = tiles[tile]!;
  const [width, height] = [rect.width / across, rect.height / across];
  return { x: rect.x + (cell % across) * width, y: rect.y + Math.floor(cell / across) * height, width, height };
}
