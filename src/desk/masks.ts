import { FONT_OUTLINES, UNITS_PER_EM } from './glyphs.ts';
import { circleContour, rasterise, readOutline } from './outline.ts';
import type { Contour } from './outline.ts';
import { CELL, CHARACTERS } from './vocabulary.ts';
import type { NewShape, ShapeKind } from './vocabulary.ts';

/** Side of a mask in pixels: two cells, so that what sticks out of its cell is still drawn. */
export const MASK = 2 * CELL;

/** Baseline under the middle of the cell, in pixels. */
const BASELINE = 9;

/** MASK × MASK bytes, row-major, 255 = covered. */
export type Mask = Uint8Array;

/** Every font, size and character there is makes ten thousand masks of 3 kB. */
const cache = new Map<string, Mask>();

function cached(key: string, outline: () => readonly Contour[]): Mask {
  let mask = cache.get(key);
  if (!mask) {
    mask = Uint8Array.from(rasterise(outline(), MASK, MASK), (coverage) => Math.floor(coverage * 255 + 0.5));
    cache.set(key, mask);
  }
  return mask;
}

/** Rounded letters overshoot the cap height and the baseline by less than this, in units of the em. */
const OVERSHOOT = 30;

/**
 * A character in the middle of a MASK × MASK square. Its foot stands on the baseline and its head at the cap height
 * rounded to whole pixels, as hinting puts them: the nano models learnt from pictures drawn with hinted fonts.
 *
 * @param font index into FONT_OUTLINES
 * @param size em in pixels, whole
 * @throws RangeError for an unknown font or character
 */
export function glyphMask(font: number, size: number, character: string): Mask {
  return cached(`${font} ${size} ${character}`, () => {
    const glyphs = FONT_OUTLINES[font]?.glyphs;
    const glyph = glyphs?.[CHARACTERS.indexOf(character)];
    const capital = glyphs?.[CHARACTERS.indexOf('H')];
    if (glyph === undefined || capital === undefined) throw new RangeError(`no glyph for ${character} in font ${font}`);
    const scale = size / UNITS_PER_EM;
    const advance = Number.parseInt(glyph, 10) * scale;
    const left = CELL - Math.round(advance / 2);
    const [capHeight] = extent(capital);
    const [top, bottom] = extent(glyph);
    const head = Math.abs(top - capHeight) < OVERSHOOT ? Math.round(capHeight * scale) : top * scale;
    const foot = Math.abs(bottom) < OVERSHOOT ? 0 : bottom * scale;
    const stretch = (head - foot) / (top - bottom);
    return readOutline(glyph, {
      x: left,
      y: CELL + BASELINE - foot + bottom * stretch,
      scaleX: scale,
      scaleY: stretch,
    });
  });
}

/** Highest and lowest point of an outline in its own units, y up. */
function extent(glyph: string): [top: number, bottom: number] {
  const points = readOutline(glyph, { x: 0, y: 0, scaleX: 1, scaleY: 1 }).flat();
  const ys = points.filter((_, i) => i % 2 === 1).map((y) => -y);
  return [Math.max(...ys), Math.min(...ys)];
}

/** sin and cos of 0°, 36° … 324°, written out: engines may differ in the last digit of Math.sin. */
const SIN = [0, 0.5877852522924731, 0.9510565162951535, 0.9510565162951535, 0.5877852522924731];
const COS = [1, 0.8090169943749475, 0.30901699437494745, -0.30901699437494745, -0.8090169943749475];

function starContour(c: number, r: number): Contour {
  return Array.from({ length: 10 }, (_, i) => {
    const turn = i < 5 ? 1 : -1;
    const reach = i % 2 === 0 ? r : r * 0.45;
    return [c + reach * turn * (SIN[i % 5] ?? 0), c - reach * turn * (COS[i % 5] ?? 0)];
  }).flat();
}

function box(left: number, top: number, right: number, bottom: number): Contour {
  return [left, top, right, top, right, bottom, left, bottom];
}

/** The same points the other way round: a hole. */
function turnedRound(contour: Contour): Contour {
  return contour.map((_, i) => contour[contour.length - 2 - (i & ~1) + (i & 1)]!);
}

const SHAPE_CONTOURS: Record<ShapeKind | NewShape, (c: number, r: number) => Contour[]> = {
  circle: (c, r) => [circleContour(c, c, r)],
  square: (c, r) => [box(c - 0.9 * r, c - 0.9 * r, c + 0.9 * r, c + 0.9 * r)],
  triangle: (c, r) => [[c, c - r, c + r, c + 0.85 * r, c - r, c + 0.85 * r]],
  star: (c, r) => [starContour(c, r)],
  diamond: (c, r) => [[c, c - r, c + 0.8 * r, c, c, c + r, c - 0.8 * r, c]],
  cross: (c, r) => [box(c - 0.36 * r, c - r, c + 0.36 * r, c + r), box(c - r, c - 0.36 * r, c + r, c + 0.36 * r)],
  ring: (c, r) => [circleContour(c, c, r), turnedRound(circleContour(c, c, 0.66 * r))],
};

/** A shape `size` pixels across in the middle of a MASK × MASK square. */
export function shapeMask(kind: ShapeKind | NewShape, size: number): Mask {
  return cached(`${kind} ${size}`, () => SHAPE_CONTOURS[kind](CELL, size / 2));
}
