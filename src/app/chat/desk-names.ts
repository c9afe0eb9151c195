import type { Colour, ShapeKind } from '../../desk/vocabulary.ts';

/** The names alone: the desk's own module would bring its fonts along. Completeness is checked by the types. */
const COLOURS: Record<Colour, true> = { red: true, green: true, blue: true, yellow: true, purple: true, orange: true };
const SHAPES: Record<ShapeKind, true> = {
  circle: true,
  square: true,
  triangle: true,
  star: true,
  diamond: true,
  cross: true,
};

export const COLOUR_NAMES = Object.keys(COLOURS) as Colour[];
export const SHAPE_NAMES = Object.keys(SHAPES) as ShapeKind[];
