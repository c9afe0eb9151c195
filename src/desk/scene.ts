import { CELLS_PER_TILE, CHARACTERS } from './vocabulary.ts';
import type { Colour, Grid, NewShape, ShapeKind } from './vocabulary.ts';

export type SceneKind = 'note' | 'receipt' | 'shapes' | 'chart';

/** What stands in one 28-px cell. */
export type Cell =
  | { kind: 'character'; character: string }
  | { kind: 'shape'; shape: ShapeKind | NewShape; colour: Colour; big: boolean }
  | { kind: 'bar'; colour: Colour };

export interface Question {
  /** Kind of picture (or `text`) and kind of question, e.g. `note: count`: what accuracies are counted by. */
  task: string;
  question: string;
  /** The whole expected answer; an answer is right when it equals this. */
  answer: string;
}

/** A picture before it is drawn: cells on a grid, and everything that can be asked about it. */
export interface Scene {
  kind: SceneKind;
  grid: Grid;
  /** Cells a row. */
  width: number;
  /** Rows of cells. */
  height: number;
  /** Row-major, `width · height`; null is blank. */
  cells: (Cell | null)[];
  questions: Question[];
}

const KIND_NAMES: Record<SceneKind, string> = {
  note: 'a note',
  receipt: 'a receipt',
  shapes: 'shapes',
  chart: 'a bar chart',
};

export function blankScene(kind: SceneKind, grid: Grid): Scene {
  const width = grid.cols * CELLS_PER_TILE;
  const height = grid.rows * CELLS_PER_TILE;
  return {
    kind,
    grid: { ...grid },
    width,
    height,
    cells: new Array<Cell | null>(width * height).fill(null),
    questions: [],
  };
}

/** Throws RangeError outside the grid: a layout that does not fit is a bug of the layout. */
export function putCell(scene: Scene, row: number, col: number, cell: Cell): void {
  if (!(row >= 0 && row < scene.height && col >= 0 && col < scene.width)) {
    throw new RangeError(`cell ${row}, ${col} is outside ${scene.height} rows of ${scene.width}`);
  }
  scene.cells[row * scene.width + col] = cell;
}

export function cellAt(scene: Scene, row: number, col: number): Cell | null {
  return scene.cells[row * scene.width + col] ?? null;
}

/** One character a cell, rightwards from (row, col). */
export function putText(scene: Scene, row: number, col: number, text: string): void {
  for (const [i, character] of [...text].entries()) {
    if (!CHARACTERS.includes(character)) throw new RangeError(`no glyph for ${character}`);
    putCell(scene, row, col + i, { kind: 'character', character });
  }
}

export function ask(scene: Scene, task: string, question: string, answer: string): void {
  scene.questions.push({ task: `${scene.kind}: ${task}`, question, answer });
}

/** The questions that every text picture has. */
export function askAll(scene: Scene, everything: string): void {
  ask(scene, 'all', 'Read everything.', everything);
  ask(scene, 'all', 'What is written here?', everything);
}

/** The question that every picture has; asked last. */
export function askKind(scene: Scene): void {
  ask(scene, 'what', 'What kind of picture is this?', KIND_NAMES[scene.kind]);
}
