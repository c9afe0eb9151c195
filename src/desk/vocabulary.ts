/** What the desk world is made of: the nano models know these characters, words, shapes and colours and no others. */

/** Pixels of a cell's side: one visual token (2 × 2 patches of 14 px) sees exactly one cell. */
export const CELL = 28;
/** Cells of a tile's side; a nano tile is 112 px. */
export const CELLS_PER_TILE = 4;

/** What can be written, in the order of the glyph outlines. */
export const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.';
/** Letters without I and O, which look like 1 and 0. */
export const CODE_LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
export const CODE_CHARACTERS = `${CODE_LETTERS}0123456789`;

export const SHAPE_KINDS = ['circle', 'square', 'triangle', 'star', 'diamond', 'cross'] as const;
export type ShapeKind = (typeof SHAPE_KINDS)[number];
/** Can be drawn, but stands in no picture that the nano models learnt from: see teach.ts. */
export type NewShape = 'ring';

export const COLOURS = ['red', 'green', 'blue', 'yellow', 'purple', 'orange'] as const;
export type Colour = (typeof COLOURS)[number];

export type Rgb = readonly [number, number, number];

export const COLOUR_RGB: Record<Colour, Rgb> = {
  red: [214, 40, 40],
  green: [34, 150, 60],
  blue: [40, 80, 210],
  yellow: [235, 200, 20],
  purple: [140, 50, 170],
  orange: [240, 130, 20],
};

/** Picture size in tiles. */
export interface Grid {
  cols: number;
  rows: number;
}

/** Every picture size of the world, smallest first among equals in shape; drawn with equal chance. */
export const GRIDS: readonly Grid[] = [
  { cols: 1, rows: 1 },
  { cols: 2, rows: 1 },
  { cols: 1, rows: 2 },
  { cols: 3, rows: 1 },
  { cols: 1, rows: 3 },
  { cols: 2, rows: 2 },
  { cols: 3, rows: 2 },
  { cols: 2, rows: 3 },
];

export const FOODS = 'TEA PIE HAM EGG SOUP RICE FISH CAKE MILK JAM CORN TOAST BREAD SALAD PASTA LEMON APPLE GRAPE ONION COFFEE'.split(' ');

export const WORDS = [
  ...FOODS,
  ...'OPEN SALE EXIT STOP TAXI HOTEL MUSEUM PARK BANK SHOP GATE PLATFORM TRAIN NORTH SOUTH EAST WEST ROOM FLOOR'.split(' '),
  ...'TICKET LUNCH MONDAY FRIDAY JUNE MAY PAPER PENCIL RIVER STONE CLOUD GARDEN WINTER SUMMER KEY CODE BOX LAMP'.split(' '),
];
