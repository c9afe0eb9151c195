import type { Box } from '../../tiling/types.ts';
import type { ArchitectureCost, Inspection } from '../api.ts';

/** What `nvlm inspect --json` prints and the page exports. */
export interface InspectionJson {
  image: { width: number; height: number };
  grid: { cols: number; rows: number };
  candidates: { cols: number; rows: number; difference: number; chosen: boolean }[];
  canvas: { width: number; height: number };
  /** In sequence order. */
  tiles: { index: number; tag: string; col: number; row: number; box: Box; thumbnail: boolean }[];
  tokens: { perTile: number; visual: number; tags: number };
  /** By letter. */
  architectures: Record<string, ArchitectureCost>;
}

/** The numbers of an inspection, without pixels. */
export function inspectionJson({ tiling, tokens, costs }: Pick<Inspection, 'tiling' | 'tokens' | 'costs'>): InspectionJson {
  const { image, grid, canvas, tiles } = tiling;
  return {
    image: { width: image.width, height: image.height },
    grid: { cols: grid.cols, rows: grid.rows },
    candidates: grid.candidates.map(({ cols, rows, difference, chosen }) => ({ cols, rows, difference, chosen })),
    canvas: { width: canvas.width, height: canvas.height },
    tiles: tiles.map(({ index, tag, col, row, box, thumbnail }) => ({
      index,
      tag,
      col,
      row,
      box: { ...box },
      thumbnail,
    })),
    tokens: { ...tokens },
    architectures: Object.fromEntries(Object.entries(costs).map(([letter, cost]) => [letter, { ...cost }])),
  };
}
