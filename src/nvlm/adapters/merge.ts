import type { AdapterModule } from './adapter-modules.ts';

/** An adapter at a strength: 0 = off, 1 = as trained. */
export interface WeightedAdapter {
  modules: readonly AdapterModule[];
  strength: number;
}

/**
 * Adapters as additions to the weights they stand on, W + Σ strength · scale · B · A, computed a few rows at a time so
 * that no weight has to be held whole. By tensor name.
 */
export function mergedUpdates(
  adapters: readonly WeightedAdapter[],
): Map<string, { rewrite(values: Float32Array, firstRow: number): void }> {
  const parts = new Map<string, (AdapterModule & { factor: number })[]>();
  for (const { modules, strength } of adapters) {
    if (strength === 0) continue;
    for (const module of modules) {
      const name = `${module.module}.weight`;
      parts.set(name, [...(parts.get(name) ?? []), { ...module, factor: strength * module.scale }]);
    }
  }
  return new Map(
    [...parts].map(([name, updates]) => [
      name,
      {
        rewrite(values, firstRow) {
          for (const update of updates) addRows(values, firstRow, update);
        },
      },
    ]),
  );
}

function addRows(values: Float32Array, firstRow: number, { rank, a, b, factor }: AdapterModule & { factor: number }): void {
  const columns = a.length / rank;
  for (let row = 0; row * columns < values.length; row++) {
    const out = values.subarray(row * columns, (row + 1) * columns);
    for (let r = 0; r < rank; r++) {
      const weight = factor * b[(firstRow + row) * rank + r]!;
      if (weight === 0) continue;
      const from = r * columns;
      for (let column = 0; column < columns; column++) out[column] = out[column]! + weight * a[from + column]!;
    }
  }
}
