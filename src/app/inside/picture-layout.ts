import type { PictureLayout } from '../../engine/inside/inside-api.ts';
import type { Shown } from '../tiles/use-inspection.ts';

/** What the engine will say of the same picture, before it has said it. */
export function layoutOfInspection({ inspection: { tiling }, across }: Shown): PictureLayout {
  return {
    image: tiling.image,
    canvas: { width: tiling.canvas.width, height: tiling.canvas.height },
    grid: { cols: tiling.grid.cols, rows: tiling.grid.rows },
    tileSize: tiling.options.tileSize,
    cellsAcross: across,
    tiles: tiling.tiles,
  };
}
