import { shapesAt } from '../shapes.ts';
import type { PlacedShape } from '../shapes.ts';
import { CELLS_PER_TILE, COLOURS, GRIDS, SHAPE_KINDS } from '../vocabulary.ts';
import type { Grid } from '../vocabulary.ts';
import { compose, smallestGrid } from './composition.ts';
import type { ComposeStyle, Composition } from './composition.ts';

export const MOST_SHAPES = 8;

/**
 * A picture of shapes at cells chosen by the user (row and column from 0). Without `grid` the smallest picture that holds
 * them is taken; shapes that cannot be drawn are left out and reported.
 */
export function composeShapes(shapes: readonly PlacedShape[], style: ComposeStyle & { grid?: Grid } = {}): Composition {
  const problems: string[] = [];
  const kept: PlacedShape[] = [];
  const asked = style.grid;
  const given = GRIDS.find(({ cols, rows }) => cols === asked?.cols && rows === asked.rows);
  if (asked && !given) problems.push('There is no picture of that size: the smallest one that fits is taken.');
  let [width, height] = [0, 0];
  for (const [i, { row, col, shape, colour, big }] of shapes.slice(0, MOST_SHAPES).entries()) {
    const say = (problem: string) => problems.push(`Shape ${i + 1}: ${problem}`);
    const [wider, higher] = [Math.max(width, col + 1), Math.max(height, row + 1)];
    if (!SHAPE_KINDS.includes(shape)) say(`left out: the shapes are ${SHAPE_KINDS.join(', ')}.`);
    else if (!COLOURS.includes(colour)) say(`left out: the colours are ${COLOURS.join(', ')}.`);
    else if (!isCell(row) || !isCell(col) || !holds(given, wider, higher)) say('left out: its cell is outside the picture.');
    else if (kept.some((other) => other.row === row && other.col === col)) say('left out: another shape stands in its cell.');
    else {
      kept.push({ row, col, shape, colour, big });
      [width, height] = [wider, higher];
    }
  }
  if (shapes.length > MOST_SHAPES) problems.push(`Only the first ${MOST_SHAPES} shapes are drawn: nano cannot count more.`);
  const grid = given ?? smallestGrid(width, height) ?? GRIDS[0]!;
  return compose(style, (rng) => shapesAt(grid, kept, rng), problems);
}

function isCell(index: number): boolean {
  return Number.isInteger(index) && index >= 0;
}

function holds(grid: Grid | undefined, width: number, height: number): boolean {
  if (!grid) return smallestGrid(width, height) !== undefined;
  return width <= grid.cols * CELLS_PER_TILE && height <= grid.rows * CELLS_PER_TILE;
}
