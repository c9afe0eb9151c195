import type { TagFormat } from './types.ts';

/**
 * The one tag that names the whole picture, whatever the format of the others (Megatron-LM; the paper:
 * `<tile_global>`).
 */
export const THUMBNAIL_TAG = '<tile_global_thumbnail>';

/**
 * Tag texts in sequence order: row-major tiles, then the thumbnail (NVLM paper §4.2).
 *
 * - `1d` (the paper's choice): `<tile_1>` …, 1-based, not padded.
 * - `2d-grid`: `<tile_x0_y0>`, `<tile_x1_y0>` …, column first, 0-based as in the paper's examples.
 * - `2d-bbox`: `<box> (x0, y0), (x1, y1) </box>`, left-top and right-bottom corner in the whole picture as whole
 *   numbers 0–1000. The paper leaves the unit open; 0–1000 is how it writes grounding boxes elsewhere (figure 11), and
 *   it depends neither on the tile size nor on the original's.
 * - `none`: empty strings.
 *
 * The thumbnail is `<tile_global_thumbnail>` in every format with tags: a box around everything would say nothing about
 * it being the small copy. A picture of one tile has only that tag.
 * @param count tiles in the sequence, the thumbnail included when there is one: cols·rows or cols·rows + 1
 */
export function tileTags(grid: { cols: number; rows: number }, count: number, format: TagFormat): string[] {
  const regular = grid.cols * grid.rows;
  if (count !== regular && (regular === 1 || count !== regular + 1)) {
    throw new RangeError(`A grid of ${grid.cols}×${grid.rows} does not give ${count} tiles.`);
  }
  if (format === 'none') return new Array<string>(count).fill('');
  if (count === 1) return [THUMBNAIL_TAG];
  const tags = Array.from({ length: regular }, (_, k) => tagOf(k, grid, format));
  return count > regular ? [...tags, THUMBNAIL_TAG] : tags;
}

function tagOf(k: number, { cols, rows }: { cols: number; rows: number }, format: Exclude<TagFormat, 'none'>): string {
  const col = k % cols;
  const row = Math.floor(k / cols);
  switch (format) {
    case '1d':
      return `<tile_${k + 1}>`;
    case '2d-grid':
      return `<tile_x${col}_y${row}>`;
    case '2d-bbox': {
      const [x0, y0, x1, y1] = [col / cols, row / rows, (col + 1) / cols, (row + 1) / rows].map((part) =>
        Math.round(part * 1000),
      );
      return `<box> (${x0}, ${y0}), (${x1}, ${y1}) </box>`;
    }
  }
}
