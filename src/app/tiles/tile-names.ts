import type { TileLayout } from '../../tiling/types.ts';

/** Its number among the regular tiles: the thumbnail may stand before them. */
export function tileNumber(tiles: readonly Pick<TileLayout, 'thumbnail'>[], index: number): number {
  return tiles.slice(0, index + 1).filter(({ thumbnail }) => !thumbnail).length;
}

/** How a tile is called in running text: its number, or that it is the thumbnail. */
export function tileName(tiles: readonly Pick<TileLayout, 'thumbnail' | 'index'>[], index: number): string {
  if (tiles.length === 1) return 'the one tile';
  return tiles[index]?.thumbnail ? 'the thumbnail' : `tile ${tileNumber(tiles, index)}`;
}

/** For labels: name, place and tag. */
export function describeTile(tiles: readonly TileLayout[], index: number): string {
  const tile = tiles[index];
  if (!tile) return '';
  const name = tileName(tiles, index)
    .replace(/^the /, '')
    .replace(/^./, (first) => first.toUpperCase());
  const place = tile.thumbnail || tiles.length === 1 ? 'the whole picture' : `column ${tile.col + 1}, row ${tile.row + 1}`;
  return `${name}, ${place}${tile.tag ? `, ${tile.tag}` : ''}`;
}

/** Short mark on a drawn tile. */
export function tileMark(tiles: readonly TileLayout[], index: number): string {
  return tiles[index]?.thumbnail && tiles.length > 1 ? 'T' : String(tileNumber(tiles, index));
}
