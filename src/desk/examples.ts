import { chartOfBars } from './chart.ts';
import { starterQuestions } from './compose/composition.ts';
import { drawScene, randomStyle } from './draw.ts';
import type { Picture } from './draw.ts';
import { noteOfCodes, noteOfLines } from './note.ts';
import { Random } from './random.ts';
import { receiptOfItems } from './receipt.ts';
import type { Question, Scene, SceneKind } from './scene.ts';
import { shapesAt } from './shapes.ts';

/** A picture to begin with. */
export interface DeskExample {
  /** Stable, for URLs and tests. */
  id: string;
  title: string;
  kind: SceneKind;
  /** Regular tiles at 112 px. */
  tiles: number;
  /** The whole content in words, for those who cannot see it. */
  description: string;
  /** Everything that the world asks about it. */
  questions: Question[];
  /** The few of them to suggest. */
  suggestedQuestions: Question[];
  /** The same bytes at every call. */
  draw(): Picture;
}

interface Recipe {
  id: string;
  title: string;
  /** Of the looks. */
  seed: number;
  make(rng: Random): Scene;
}

/** Chosen so that nano-d answers every starter question right. */
const RECIPES: readonly Recipe[] = [
  {
    id: 'sign',
    title: 'A sign',
    seed: 11,
    make: () =>
      noteOfLines({ cols: 1, rows: 1 }, [
        { row: 0, text: 'OPEN' },
        { row: 2, text: '724' },
      ]),
  },
  {
    id: 'first-shapes',
    title: 'Three shapes',
    seed: 6,
    make: (rng) =>
      shapesAt(
        { cols: 1, rows: 1 },
        [
          { row: 0, col: 1, shape: 'star', colour: 'red', big: true },
          { row: 1, col: 3, shape: 'circle', colour: 'blue', big: false },
          { row: 3, col: 0, shape: 'square', colour: 'green', big: true },
        ],
        rng,
      ),
  },
  {
    id: 'platform',
    title: 'To the train',
    seed: 38,
    make: () =>
      noteOfLines({ cols: 2, rows: 1 }, [
        { row: 0, text: 'PLATFORM' },
        { row: 1, text: '7' },
        { row: 3, text: 'TRAIN' },
      ]),
  },
  {
    id: 'tall-bars',
    title: 'Two bars',
    seed: 8,
    make: (rng) =>
      chartOfBars(
        { cols: 1, rows: 2 },
        [
          { label: 'A', height: 3, colour: 'red' },
          { label: 'K', height: 6, colour: 'blue' },
        ],
        1,
        2,
        rng,
      ),
  },
  {
    id: 'breakfast',
    title: 'A breakfast bill',
    seed: 1,
    make: (rng) =>
      receiptOfItems(
        { cols: 3, rows: 1 },
        [
          { row: 0, name: 'EGG', price: '4.05' },
          { row: 1, name: 'COFFEE', price: '1.50' },
        ],
        true,
        rng,
      ),
  },
  {
    id: 'bookmark',
    title: 'A bookmark',
    seed: 21,
    make: () =>
      noteOfLines({ cols: 1, rows: 3 }, [
        { row: 1, text: 'ROOM' },
        { row: 4, text: 'K2X' },
        { row: 6, text: 'LAMP' },
        { row: 9, text: '45' },
      ]),
  },
  {
    id: 'codes',
    title: 'Codes in the corners',
    seed: 9,
    make: () =>
      noteOfCodes({ cols: 2, rows: 2 }, [
        { row: 1, col: 0, place: 'top left', text: 'X7K' },
        { row: 2, col: 5, place: 'top right', text: 'BUS' },
        { row: 6, col: 4, place: 'bottom right', text: 'Q94H' },
      ]),
  },
  {
    id: 'lunch',
    title: 'A lunch bill',
    seed: 27,
    make: (rng) =>
      receiptOfItems(
        { cols: 2, rows: 2 },
        [
          { row: 0, name: 'HAM', price: '2.40' },
          { row: 2, name: 'EGG', price: '4.50' },
          { row: 3, name: 'TEA', price: '1.05' },
        ],
        true,
        rng,
      ),
  },
  {
    id: 'six-tile-shapes',
    title: 'Shapes on six tiles',
    seed: 20,
    make: (rng) =>
      shapesAt(
        { cols: 3, rows: 2 },
        [
          { row: 1, col: 2, shape: 'triangle', colour: 'purple', big: true },
          { row: 2, col: 9, shape: 'cross', colour: 'red', big: true },
          { row: 5, col: 5, shape: 'diamond', colour: 'orange', big: true },
          { row: 6, col: 1, shape: 'circle', colour: 'yellow', big: true },
        ],
        rng,
      ),
  },
  {
    id: 'six-tile-bars',
    title: 'Bars on six tiles',
    seed: 30,
    make: (rng) =>
      chartOfBars(
        { cols: 3, rows: 2 },
        [
          { label: 'E', height: 4, colour: 'green' },
          { label: 'R', height: 2, colour: 'purple' },
          { label: 'T', height: 7, colour: 'orange' },
          { label: 'W', height: 5, colour: 'red' },
          { label: 'Z', height: 1, colour: 'blue' },
        ],
        1,
        2,
        rng,
      ),
  },
];

/** Ten pictures of every kind on one to six tiles, with starter questions. Cheap: drawing waits for `draw()`. */
export function deskExamples(): DeskExample[] {
  return RECIPES.map(({ id, title, seed, make }) => {
    const scene = make(new Random(seed, 0));
    const all = scene.questions.find((question) => question.task === `${scene.kind}: all` && !question.question.includes('labels'));
    return {
      id,
      title,
      kind: scene.kind,
      tiles: scene.grid.cols * scene.grid.rows,
      description: all?.answer.replaceAll('\n', '; ') ?? title,
      questions: scene.questions,
      suggestedQuestions: starterQuestions(scene),
      draw: () => {
        const looks = new Random(seed, 1);
        return drawScene(scene, randomStyle(looks), looks);
      },
    };
  });
}
