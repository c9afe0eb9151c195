import type { Random } from './random.ts';
import { ask, askKind, blankScene, putCell } from './scene.ts';
import type { Scene } from './scene.ts';
import { COLOURS, SHAPE_KINDS } from './vocabulary.ts';
import type { Colour, Grid, ShapeKind } from './vocabulary.ts';

export interface PlacedShape {
  row: number;
  col: number;
  shape: ShapeKind;
  colour: Colour;
  big: boolean;
}

/** `rng` chooses which kinds, colours and pairs are asked about. Shapes are told in reading order. */
export function shapesAt(grid: Grid, placed: readonly PlacedShape[], rng: Random): Scene {
  const scene = blankScene('shapes', grid);
  const shapes = [...placed].sort((a, b) => a.row - b.row || a.col - b.col);
  for (const { row, col, shape, colour, big } of shapes) putCell(scene, row, col, { kind: 'shape', shape, colour, big });
  const count = (is: (s: PlacedShape) => boolean) => shapes.filter(is).length;

  ask(scene, 'count', 'How many shapes are there?', String(shapes.length));
  for (const kind of rng.sample(SHAPE_KINDS, 3)) {
    const plural = kind === 'cross' ? 'crosses' : `${kind}s`;
    ask(scene, 'count kind', `How many ${plural} are there?`, String(count((s) => s.shape === kind)));
  }
  for (const colour of rng.sample(COLOURS, 3)) {
    ask(scene, 'count colour', `How many ${colour} shapes are there?`, String(count((s) => s.colour === colour)));
  }
  for (const { row, col, shape, colour, big } of shapes) {
    if (count((s) => s.shape === shape) === 1) {
      ask(scene, 'colour', `What colour is the ${shape}?`, colour);
      ask(scene, 'size', `How big is the ${shape}?`, big ? 'big' : 'small');
      const place = `${row < scene.height / 2 ? 'top' : 'bottom'} ${col < scene.width / 2 ? 'left' : 'right'}`;
      ask(scene, 'where', `Where is the ${shape}?`, place);
    }
    if (count((s) => s.colour === colour) === 1) ask(scene, 'kind', `What shape is ${colour}?`, shape);
  }
  for (let i = 0; i < 2; i++) {
    let about = { shape: rng.choice(SHAPE_KINDS), colour: rng.choice(COLOURS) };
    if (shapes.length > 0 && rng.random() < 0.5) about = rng.choice(shapes);
    const { shape, colour } = about;
    const there = shapes.some((s) => s.shape === shape && s.colour === colour);
    ask(scene, 'is there', `Is there ${withArticle(colour)} ${shape}?`, there ? 'yes' : 'no');
  }
  const unique = shapes.filter((a) => count((b) => a.shape === b.shape && a.colour === b.colour) === 1);
  for (let i = 0; i < 2 && unique.length >= 2; i++) {
    const [a, b] = rng.sample(unique, 2) as [PlacedShape, PlacedShape];
    const [relation, distance] = rng.choice<[string, number]>([
      ['left of', b.col - a.col],
      ['right of', a.col - b.col],
      ['above', b.row - a.row],
      ['below', a.row - b.row],
    ]);
    if (distance === 0) continue;
    ask(scene, 'relation', `Is the ${name(a)} ${relation} the ${name(b)}?`, distance > 0 ? 'yes' : 'no');
  }
  const missing = SHAPE_KINDS.filter((kind) => count((s) => s.shape === kind) === 0);
  if (missing.length > 0) {
    const kind = rng.choice(missing);
    ask(scene, 'absent', `What colour is the ${kind}?`, `There is no ${kind}.`);
  }
  if (shapes.length === 0) {
    ask(scene, 'all', 'Describe the image.', 'nothing');
  } else if (shapes.length <= 6) {
    const all = shapes.map((s) => `a ${s.big ? 'big' : 'small'} ${name(s)}`).join(', ');
    ask(scene, 'all', 'Describe the image.', all);
    ask(scene, 'all', 'What can you see?', all);
  }
  askKind(scene);
  return scene;
}

/** None to six shapes (seldom up to eight) anywhere; a quarter repeats the kind or the colour of the one before. */
export function randomShapes(rng: Random, grid: Grid): Scene {
  const { width, height } = blankScene('shapes', grid);
  const count = rng.random() < 0.9 ? rng.randint(0, 6) : rng.randint(4, 8);
  const cells = rng
    .sample(
      Array.from({ length: width * height }, (_, i) => i),
      count,
    )
    .sort((a, b) => a - b);
  const shapes: PlacedShape[] = [];
  for (const cell of cells) {
    let [shape, colour] = [rng.choice(SHAPE_KINDS), rng.choice(COLOURS)];
    const before = shapes.at(-1);
    if (before && rng.random() < 0.25) shape = before.shape;
    if (before && rng.random() < 0.25) colour = before.colour;
    shapes.push({ row: Math.floor(cell / width), col: cell % width, shape, colour, big: rng.random() < 0.5 });
  }
  return shapesAt(grid, shapes, rng);
}

function name({ shape, colour }: PlacedShape): string {
  return `${colour} ${shape}`;
}

export function withArticle(word: string): string {
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;
}
