import type { SegmentKind, TokenPlan } from '../../text/types.ts';

/**
 * Text rows of the cross-attention mask that belong together: one token, or a run of visual tokens that see the same.
 */
export interface MaskColumn {
  start: number;
  end: number;
  kind: SegmentKind;
  tile: number | null;
  text: string;
  /** For each cross-attended tile: do these rows see it? */
  sees: boolean[];
}

/**
 * The mask in reading order. Visual tokens in the sequence (H's thumbnail) are folded while they see the same tiles.
 */
export function maskColumns(plan: TokenPlan, tokenTexts: Record<number, string>): MaskColumn[] {
  const tiles = plan.crossTiles.length;
  const columns: MaskColumn[] = [];
  for (const segment of plan.segments) {
    for (let row = segment.start; row < segment.end; row++) {
      const sees = Array.from(plan.crossMask.subarray(row * tiles, (row + 1) * tiles), (bit) => bit === 1);
      const previous = columns.at(-1);
      const folds = segment.kind === 'visual' && row > segment.start && previous?.sees.every((bit, tile) => bit === sees[tile]);
      if (folds && previous) {
        previous.end = row + 1;
        continue;
      }
      const id = plan.inputIds[row] ?? -1;
      const text = segment.kind === 'visual' ? '' : (tokenTexts[id] ?? `#${id}`);
      columns.push({ start: row, end: row + 1, kind: segment.kind, tile: segment.tile ?? null, text, sees });
    }
  }
  return columns;
}

/** What the rows of a column see, in words. */
export function describeSight(column: MaskColumn, crossTiles: number[], tileName: (tile: number) => string): string {
  const seen = crossTiles.filter((_, index) => column.sees[index]);
  if (seen.length === 0) return 'sees no tile';
  if (seen.length === crossTiles.length && seen.length > 1) return `sees all ${seen.length} tiles`;
  return `sees only ${seen.map(tileName).join(', ')}`;
}
