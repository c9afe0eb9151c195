import type { Random } from './random.ts';
import { ask, askAll, askKind, blankScene, putText } from './scene.ts';
import type { Scene } from './scene.ts';
import { CODE_CHARACTERS, WORDS } from './vocabulary.ts';
import type { Grid } from './vocabulary.ts';

export interface NoteLine {
  /** Row of cells. */
  row: number;
  text: string;
}

export interface NoteCode {
  row: number;
  col: number;
  /** `top left` … `bottom right`, or `top` and `bottom` on pictures one tile wide. */
  place: string;
  text: string;
}

/** Lines of text, one word, number or code each, top to bottom, all beginning `indent` cells from the left. */
export function noteOfLines(grid: Grid, lines: readonly NoteLine[], indent = 0): Scene {
  const scene = blankScene('note', grid);
  const texts = lines.map((line) => line.text);
  for (const line of lines) putText(scene, line.row, indent, line.text);
  for (const [i, text] of texts.entries()) {
    ask(scene, 'line', `Read line ${i + 1}.`, text);
    ask(scene, 'line', `What does line ${i + 1} say?`, text);
    if (lines.length > 1 && countOf(texts, text) === 1) ask(scene, 'which line', `Which line says ${text}?`, String(i + 1));
  }
  const [first, last] = [texts[0], texts.at(-1)];
  if (texts.length > 1 && first !== undefined && last !== undefined) {
    ask(scene, 'line', 'Read the first line.', first);
    ask(scene, 'line', 'Read the last line.', last);
  }
  ask(scene, 'count', 'How many lines are there?', String(lines.length));
  if (lines.length < scene.height) ask(scene, 'absent', `Read line ${lines.length + 1}.`, 'There is no such line.');
  if (texts.length === 1 && first !== undefined) {
    // Twice, so that it is asked as often as the other ways to read the only line.
    ask(scene, 'read', 'What does it say?', first);
    ask(scene, 'read', 'What does it say?', first);
  }
  askAll(scene, texts.join('\n'));
  askKind(scene);
  return scene;
}

/** Codes in named places of the picture. */
export function noteOfCodes(grid: Grid, codes: readonly NoteCode[]): Scene {
  const scene = blankScene('note', grid);
  const texts = codes.map((code) => code.text);
  for (const code of codes) putText(scene, code.row, code.col, code.text);
  for (const { place, text } of codes) {
    ask(scene, 'place', `What is the code at the ${place}?`, text);
    ask(scene, 'place', `Read the code at the ${place}.`, text);
    if (countOf(texts, text) === 1) ask(scene, 'where', `Where is the code ${text}?`, place);
  }
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) {
    ask(scene, 'read', 'What is the code?', only);
    ask(scene, 'read', 'Read the code.', only);
  }
  ask(scene, 'count', 'How many codes are there?', String(codes.length));
  const reading = [...codes].sort((a, b) => a.row - b.row || a.col - b.col);
  askAll(scene, reading.map((code) => code.text).join('\n'));
  askKind(scene);
  return scene;
}

/** A third of the notes (35 %) have one to three codes in places, the others one to seven lines. */
export function randomNote(rng: Random, grid: Grid): Scene {
  return rng.random() < 0.35 ? randomCodes(rng, grid) : randomLines(rng, grid);
}

export function randomCode(rng: Random, length: number): string {
  return Array.from({ length }, () => rng.choice(CODE_CHARACTERS)).join('');
}

function randomLines(rng: Random, grid: Grid): Scene {
  const { width, height } = blankScene('note', grid);
  const count = rng.randint(1, Math.min(height, 7));
  const rows = rng.sample(range(0, height), count).sort((a, b) => a - b);
  const indent = rng.choice([0, 0, 1]);
  return noteOfLines(
    grid,
    rows.map((row) => ({ row, text: randomToken(rng, width - indent) })),
    indent,
  );
}

/** A word, a number or a code of at most `most` characters. */
function randomToken(rng: Random, most: number): string {
  const x = rng.random();
  if (x < 0.4) return rng.choice(WORDS.filter((word) => word.length <= most));
  if (x < 0.5) return String(rng.randint(1, 10 ** Math.min(4, most) - 1));
  return randomCode(rng, rng.randint(2, Math.min(most, 7)));
}

function randomCodes(rng: Random, grid: Grid): Scene {
  const { width, height } = blankScene('note', grid);
  const wide = width >= 8;
  const half = width / 2;
  const sides = wide ? ['left', 'right'] : [''];
  const places = rng.shuffle(['top', 'bottom'].flatMap((end) => sides.map((side) => ({ end, side }))));
  const codes: NoteCode[] = [];
  for (const { end, side } of places.slice(0, rng.randint(1, Math.min(3, places.length)))) {
    const length = rng.randint(3, wide ? Math.min(5, half) : 4);
    const row = rng.choice(end === 'top' ? range(0, height / 2) : range(height / 2, height));
    let low = side === 'right' ? half : 0;
    let high = side === 'left' ? half - length : width - length;
    // Keep a blank cell between two codes on one row, where there is room for it.
    if (codes.some((code) => code.row === row)) {
      if (side === 'left') high = Math.max(low, high - 1);
      else low = Math.min(low + 1, high);
    }
    const words = WORDS.filter((word) => word.length === length);
    const text = rng.random() < 0.8 ? randomCode(rng, length) : rng.choice(words);
    codes.push({ row, col: rng.randint(low, Math.max(low, high)), place: `${end} ${side}`.trim(), text });
  }
  return noteOfCodes(grid, codes);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function countOf(texts: readonly string[], text: string): number {
  return texts.filter((other) => other === text).length;
}
