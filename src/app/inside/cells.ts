import { sharesOf } from '../../engine/inside/key-runs.ts';
import type { AttentionKind, AttentionRows, AttentionShare, InsideTrace, KeyRun } from '../../engine/inside/inside-api.ts';

/** By tile, in the sequence's order: a number for each of its cells, row by row; null for a tile that nothing is known of. */
export type CellMap = (Float32Array | null)[];

/** Rows of both kinds of attention; null where the model has none, or none of the chosen layer. */
export type Looks = Record<AttentionKind, AttentionRows | null>;

export const KINDS: readonly AttentionKind[] = ['self', 'cross'];

/** The rows of an answer's tokens among the rows of a trace: one, or all of them. */
export function rowsOf({ rows, answer }: Pick<InsideTrace, 'rows' | 'answer'>, token: number | null): number[] {
  const first = rows.length - answer.length;
  return token === null ? answer.map((_, at) => first + at) : [first + Math.min(token, answer.length - 1)];
}

/** One row of weights: the mean over these rows. */
export function meanRow({ values, keys }: AttentionRows, rows: readonly number[]): Float32Array {
  const mean = new Float32Array(keys);
  for (const row of rows) {
    for (let key = 0; key < keys; key++) mean[key]! += values[row * keys + key]! / rows.length;
  }
  return mean;
}

/** {@link meanRow} of each kind of attention that there is. */
export function rowsMean(looks: Looks, rows: readonly number[]): Partial<Record<AttentionKind, Float32Array>> {
  return { ...(looks.self && { self: meanRow(looks.self, rows) }), ...(looks.cross && { cross: meanRow(looks.cross, rows) }) };
}

/** What rows saw of each cell, whichever kind of attention reads it. */
export function lookMap(about: InsideTrace, row: Partial<Record<AttentionKind, Float32Array>>): CellMap {
  const map: CellMap = (about.layout?.tiles ?? []).map(() => null);
  for (const kind of KINDS) {
    const weights = row[kind];
    if (!weights) continue;
    for (const { owner, tile, start, end } of about.keys[kind]) {
      if (owner === 'tile' || owner === 'thumbnail') map[tile!] = weights.slice(start, end);
    }
  }
  return map;
}

/** Who reads a cell, and where it stands among the keys. */
export function keyOfCell({ keys }: Pick<InsideTrace, 'keys'>, tile: number, cell: number): { kind: AttentionKind; key: number } | null {
  for (const kind of KINDS) {
    const run = keys[kind].find((one: KeyRun) => (one.owner === 'tile' || one.owner === 'thumbnail') && one.tile === tile);
    if (run) return { kind, key: run.start + cell };
  }
  return null;
}

/** How much each row looked at one cell. */
export function columnOf({ values, keys, rows }: AttentionRows, key: number): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => values[row * keys + key]!);
}

export function sharesIn(about: InsideTrace, kind: AttentionKind, row: Float32Array): AttentionShare[] {
  return sharesOf(row, about.keys[kind]);
}

/** The largest number of a map, in absolute value; 0 for an empty one. */
export function largestIn(map: CellMap): number {
  let largest = 0;
  for (const cells of map) for (const value of cells ?? []) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** The cell with the largest number; null when all are zero. */
export function peakOf(map: CellMap): { tile: number; cell: number; value: number } | null {
  let peak: { tile: number; cell: number; value: number } | null = null;
  map.forEach((cells, tile) => cells?.forEach((value, cell) => (value > (peak?.value ?? 0) ? (peak = { tile, cell, value }) : null)));
  return peak;
}
