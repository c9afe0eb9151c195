/**
 * Variants of the products of few rows, the ones that decode: how many lines of 16 threads a workgroup has. Where a weight lies output by
 * output, a line makes one output, so lines are outputs a workgroup; where it lies input by input, a line is a slice of the depth. All
 * variants compute the same, but for the order of sums; which is fastest differs between devices and sizes.
 */
export const LINES = [4, 8, 16] as const;
export type Lines = (typeof LINES)[number];

/** Neighbouring threads of a line. */
export const LANES = 16;

/** The ops that have these variants: the ordinary product, and the two kinds of a recorded step. */
export type FewRowsOp = 'linear' | 'recordedProduct' | 'recordedSwiglu';

/** What decides which variant is fastest. */
export interface ProductShape {
  layout: 'f32' | 'f16' | 'affine4' | 'affine8';
  inFeatures: number;
  outFeatures: number;
}

/** Used unless something else was measured to be faster. */
export function defaultLines(op: FewRowsOp, { layout }: Pick<ProductShape, 'layout'>): Lines {
  return op === 'linear' && layout !== 'f32' ? 4 : 8;
}

/** Products that share a choice: sizes up to the same powers of two, e.g. `recordedProduct f16 1024 × 4096`. */
export function sizeClass(op: FewRowsOp, { layout, inFeatures, outFeatures }: ProductShape): string {
  const upTo = (size: number) => 2 ** Math.ceil(Math.log2(size));
  return `${op} ${layout} ${upTo(inFeatures)} × ${upTo(outFeatures)}`;
}

/** One way of making the programs of an op for weights of one layout. */
export interface Variant {
  op: FewRowsOp;
  layout: ProductShape['layout'];
  lines: Lines;
}

export function variantName({ op, layout, lines }: Variant): string {
  return `${op} ${layout} ${lines} lines`;
}

/** tfjs has one engine, so one device computes at a time: these are its choices. */
let chosen: ReadonlyMap<string, Lines> = new Map();
let forced: Lines | 'default' | null = null;

/** The variant that a program is made in. */
export function linesFor(op: FewRowsOp, shape: ProductShape): Lines {
  if (forced !== null && forced !== 'default') return forced;
  return (forced === null && chosen.get(sizeClass(op, shape))) || defaultLines(op, shape);
}

/** From now on, by {@link sizeClass}; other classes take their default. */
export function chooseLines(choices: ReadonlyMap<string, Lines>): void {
  chosen = choices;
}

/** Every product that `work` makes, before it returns, in one variant: to check it and to measure it. */
export function withLines<T>(lines: Lines | 'default', work: () => T): T {
  const before = forced;
  forced = lines;
  try {
    return work();
  } finally {
    forced = before;
  }
}
