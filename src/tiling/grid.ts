import { NvlmError } from '../errors.ts';
import { checkGridOptions } from './options.ts';
import type { GridCandidate, GridChoice } from './types.ts';

/**
 * Chooses how many tiles a picture is cut into, across and down: the grid whose cols/rows is nearest to width/height.
 * Candidates are all grids of up to `maxTiles` tiles, fewest tiles first; on an exact tie (in double precision) the
 * later one wins if the picture has more than half the pixels of its canvas, cols·tileSize × rows·tileSize. NVLM paper
 * §4.1; the rule of InternVL, vLLM and Megatron-LM.
 * @param width, height pixels of the picture, whole numbers ≥ 1
 * @param maxTiles most tiles, 1–12 (the paper: 6)
 * @param tileSize side of a tile in pixels, a multiple of 28 (the paper: 448)
 * @throws NvlmError `usage`
 */
export function chooseGrid(width: number, height: number, maxTiles: number, tileSize: number): GridChoice {
  checkGridOptions(maxTiles, tileSize);
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new NvlmError('usage', `A picture cannot be ${width}×${height} pixels.`, 'Give whole numbers of at least 1.');
  }
  const aspect = width / height;
  const candidates = gridsUpTo(maxTiles).map(
    ([cols, rows]): GridCandidate => ({
      cols,
      rows,
      difference: Math.abs(aspect - cols / rows),
      chosen: false,
      tie: false,
      tieWon: false,
    }),
  );
  let best = candidates[0]!;
  for (const candidate of candidates.slice(1)) {
    if (candidate.difference < best.difference) best = candidate;
    else if (candidate.difference === best.difference) {
      candidate.tie = true;
      candidate.tieWon = width * height > areaToWin(candidate, tileSize);
      if (candidate.tieWon) best = candidate;
    }
  }
  best.chosen = true;
  return {
    cols: best.cols,
    rows: best.rows,
    aspect,
    candidates,
    reason: explain(width, height, tileSize, best, candidates),
  };
}

/** [cols, rows] by number of tiles; the order among equal numbers decides nothing (no two of them ever tie). */
function gridsUpTo(maxTiles: number): [cols: number, rows: number][] {
  const grids: [number, number][] = [];
  for (let tiles = 1; tiles <= maxTiles; tiles++) {
    for (let cols = 1; cols <= tiles; cols++) if (tiles % cols === 0) grids.push([cols, tiles / cols]);
  }
  return grids;
}

/** Pixels that a picture must exceed for this grid to win a tie. */
function areaToWin({ cols, rows }: { cols: number; rows: number }, tileSize: number): number {
  return 0.5 * tileSize * tileSize * cols * rows;
}

function explain(width: number, height: number, tileSize: number, best: GridCandidate, all: readonly GridCandidate[]): string {
  const name = (grid: GridCandidate) => `${grid.cols}×${grid.rows}`;
  const aspect = round(width / height);
  const equal = all.filter((candidate) => candidate.difference === best.difference);
  if (equal.length === 1) {
    return (
      `${name(best)} wins: its aspect ratio ${round(best.cols / best.rows)} is nearest to the picture's ${aspect}` +
      ` (difference ${round(best.difference)}).`
    );
  }
  const [first, ...later] = equal as [GridCandidate, ...GridCandidate[]];
  const needs = later.map((grid) => `${name(grid)} needs more than ${count(areaToWin(grid, tileSize))}`).join(', ');
  return (
    `Tie: ${equal.map(name).join(' and ')} are equally near to the picture's aspect ratio ${aspect} ` +
    `(difference ${round(best.difference)}).` +
    ' The larger grid wins only if the picture has more than half of its pixels:' +
    ` ${needs}; the picture has ${count(width * height)}, so ${name(best)} ${best === first ? 'stays' : 'wins'}.`
  );
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function count(pixels: number): string {
  return pixels.toLocaleString('en-US');
}
