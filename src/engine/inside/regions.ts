import type { PaintedPart, PictureLayout } from './inside-api.ts';

/** Every tile by itself. */
export function wholeTiles(tiles: number): PaintedPart[][] {
  return Array.from({ length: tiles }, (_, tile) => [{ tile }]);
}

/** Every cell of the picture by itself, tile after tile, row by row: on its tile, and on the thumbnail the place that shows the same. */
export function everyCell({
  cellsAcross: across,
  tileSize,
  grid,
  tiles,
}: Pick<PictureLayout, 'cellsAcross' | 'tileSize' | 'grid' | 'tiles'>): PaintedPart[][] {
  const side = tileSize / across;
  const thumbnail = tiles.find((tile) => tile.thumbnail);
  return tiles
    .filter((tile) => !tile.thumbnail)
    .flatMap(({ index, col, row }) =>
      Array.from({ length: across * across }, (_, cell): PaintedPart[] => {
        const [x, y] = [(cell % across) * side, Math.floor(cell / across) * side];
        const parts: PaintedPart[] = [{ tile: index, box: { x, y, width: side, height: side } }];
        if (thumbnail) {
          const [left, right] = [x, x + side].map((at) => Math.round((col * tileSize + at) / grid.cols));
          const [top, bottom] = [y, y + side].map((at) => Math.round((row * tileSize + at) / grid.rows));
          parts.push({ tile: thumbnail.index, box: { x: left!, y: top!, width: right! - left!, height: bottom! - top! } });
        }
        return parts;
      }),
    );
}
