import { describe, expect, it } from 'vitest';
import { nearestAspect } from '../../tiling/nearest-aspect.ts';
import { tileImage } from '../../tiling/tile-image.ts';
import { changedTiling, regularPlaces } from './changes.ts';
import { everyCell } from './regions.ts';

const picture = { width: 90, height: 60, data: new Uint8Array(90 * 60 * 3) };

describe.each(['first', 'last'] as const)('a picture whose thumbnail stands %s', (thumbnailPlace) => {
  const tiling = tileImage(picture, { tileSize: 28, maxTiles: 6, useThumbnail: true }, '1d', { ...nearestAspect, thumbnailPlace });
  const thumbnail = thumbnailPlace === 'first' ? 0 : 6;
  const places = [0, 1, 2, 3, 4, 5].map((number) => number + (thumbnailPlace === 'first' ? 1 : 0));
  const columns = ({ tiles }: typeof tiling) => places.map((place) => tiles[place]!.col + tiles[place]!.row * 3);

  it('names each tile by its place in every format', () => {
    expect(regularPlaces(tiling.tiles)).toEqual(places);
    expect(changedTiling(tiling, {})).toEqual(tiling);
    const { tiles } = changedTiling(tiling, { tagFormat: '2d-grid' });
    expect(tiles[thumbnail]!.tag).toBe('<tile_global_thumbnail>');
    expect(places.map((place) => tiles[place]!.tag)).toEqual([
      '<tile_x0_y0>',
      '<tile_x1_y0>',
      '<tile_x2_y0>',
      '<tile_x0_y1>',
      '<tile_x1_y1>',
      '<tile_x2_y1>',
    ]);
  });

  it('shows shuffled tiles where they lie on the picture, under the names of their places, and leaves the thumbnail', () => {
    const order = [5, 4, 3, 2, 1, 0];
    const changed = changedTiling(tiling, { order });
    expect(columns(tiling)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(columns(changed)).toEqual(order);
    expect(changed.tiles.map(({ tag }) => tag)).toEqual(tiling.tiles.map(({ tag }) => tag));
    expect(changed.tiles.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(changed.tiles[thumbnail]).toEqual(tiling.tiles[thumbnail]);
    // The cell of a moved tile is painted on the part of the thumbnail that shows it.
    const [first] = everyCell({ cellsAcross: 1, tileSize: 28, grid: changed.grid, tiles: changed.tiles });
    expect(first).toEqual([
      { tile: places[0], box: { x: 0, y: 0, width: 28, height: 28 } },
      { tile: thumbnail, box: { x: 19, y: 14, width: 9, height: 14 } },
    ]);
  });
});
