import { PLAIN_STYLE, drawScene, randomStyle } from '../draw.ts';
import type { Picture } from '../draw.ts';
import { Random } from '../random.ts';
import type { Question, Scene } from '../scene.ts';
import { CELLS_PER_TILE, GRIDS } from '../vocabulary.ts';
import type { Grid } from '../vocabulary.ts';

/** What a *type your own* form gives: always a picture, of what could be drawn. */
export interface Composition {
  scene: Scene;
  picture: Picture;
  /** Up to six questions of different kinds with their answers. */
  suggestedQuestions: Question[];
  /** What was changed or left out, one sentence each; empty when everything was drawn as given. */
  problems: string[];
  /** What is drawn as given but may be misread by the nano models. */
  hints: string[];
}

export interface ComposeStyle {
  /** Chooses font, colours and grain, and which of the possible questions are asked. Default 1. */
  seed?: number;
  /** Dark on white in one clear font, without grain. */
  plain?: boolean;
}

/** Draws the scene that `make` lays out and picks its starter questions. */
export function compose(style: ComposeStyle, make: (rng: Random) => Scene, problems: string[], hints: string[] = []): Composition {
  const { seed = 1, plain = false } = style;
  const known = Number.isSafeInteger(seed);
  if (!known) problems.push('The seed is not a whole number: 1 is used.');
  const scene = make(new Random(known ? seed : 1, 0));
  const looks = new Random(known ? seed : 1, 1);
  const picture = drawScene(scene, plain ? PLAIN_STYLE : randomStyle(looks), looks);
  return { scene, picture, suggestedQuestions: starterQuestions(scene), problems, hints };
}

/** Not the first thing to ask: what is not there, the kind of picture, and what the nano models are weak at. */
const LAST = /: (absent|what|item)$|^shapes: relation$/;

/** The first question of every task, up to `most`. */
export function starterQuestions(scene: Scene, most = 6): Question[] {
  const firsts = new Map<string, Question>();
  for (const question of scene.questions) if (!firsts.has(question.task)) firsts.set(question.task, question);
  const rank = ({ task }: Question) => (LAST.test(task) ? 1 : 0);
  return [...firsts.values()].sort((a, b) => rank(a) - rank(b)).slice(0, most);
}

/** The picture size with the fewest tiles that holds `width` × `height` cells, if there is one. */
export function smallestGrid(width: number, height: number, leastCols = 1): Grid | undefined {
  return [...GRIDS]
    .sort((a, b) => a.cols * a.rows - b.cols * b.rows)
    .find(({ cols, rows }) => cols >= leastCols && cols * CELLS_PER_TILE >= width && rows * CELLS_PER_TILE >= height);
}

/** `raw` in capitals, cut into what stands in `allowed` and, each once, what does not. Reads 200 characters at most. */
export function keepCharacters(raw: string, allowed: string): { text: string; dropped: string[] } {
  let text = '';
  const dropped = new Set<string>();
  for (const typed of raw.slice(0, 200)) {
    // Letter by letter: the capital of one letter may be several (ß → SS), which is fine only if all can be drawn.
    const capital = typed.toUpperCase();
    if ([...capital].every((character) => allowed.includes(character))) text += capital;
    else dropped.add(typed);
  }
  return { text, dropped: [...dropped] };
}

/** `“é”, “?”`, shortened after six. */
export function quoted(characters: readonly string[]): string {
  const shown = characters.slice(0, 6).map((character) => `“${character}”`);
  return shown.join(', ') + (characters.length > shown.length ? ' …' : '');
}
