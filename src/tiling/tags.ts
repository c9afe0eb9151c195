/** A way to name tiles in the text. */
interface TagNames {
  /** For people to choose by. */
  label: string;
  hint: string;
  /** @param k the tile's number, row by row from 0 */
  tile(k: number, grid: { cols: number; rows: number }): string;
  /** Of the one tile, or the thumbnail, that shows the whole picture. */
  thumbnail: string;
}

/** Megatron-LM's; the paper writes `<tile_global>`. */
const NVLM_THUMBNAIL = '<tile_global_thumbnail>';

function rowAndColumn(k: number, { cols }: { cols: number }): string {
  return `<row_${Math.floor(k / cols) + 1}_col_${(k % cols) + 1}>`;
}

/**
 * Every format of tile tags there is (NVLM paper §4.2); the first is the paper's choice. Another one is an entry here:
 * configurations, the command line and the page take their choices from this list.
 *
 * The thumbnail's tag is the same in all of NVLM's: a box around everything would say nothing about it being the small copy.
 */
export const TAG_FORMATS = {
  /** 1-based, not padded. */
  '1d': {
    label: '1-D',
    hint: '<tile_1>, <tile_2> … (what NVLM uses)',
    tile: (k) => `<tile_${k + 1}>`,
    thumbnail: NVLM_THUMBNAIL,
  },
  /** Column first, 0-based as in the paper's examples. */
  '2d-grid': {
    label: '2-D grid',
    hint: '<tile_x0_y0>, <tile_x1_y0> …',
    tile: (k, { cols }) => `<tile_x${k % cols}_y${Math.floor(k / cols)}>`,
    thumbnail: NVLM_THUMBNAIL,
  },
  /**
   * Left-top and right-bottom corner in the whole picture as whole numbers 0–1000. The paper leaves the unit open; 0–1000 is how
   * it writes grounding boxes elsewhere (figure 11), and it depends neither on the tile size nor on the original's.
   */
  '2d-bbox': {
    label: '2-D box',
    hint: '<box> (0, 0), (500, 333) </box> …',
    tile(k, { cols, rows }) {
      const [col, row] = [k % cols, Math.floor(k / cols)];
      const [x0, y0, x1, y1] = [col / cols, row / rows, (col + 1) / cols, (row + 1) / rows].map((part) => Math.round(part * 1000));
      return `<box> (${x0}, ${y0}), (${x1}, ${y1}) </box>`;
    },
    thumbnail: NVLM_THUMBNAIL,
  },
  /** Row first, 1-based (Idefics3, SmolVLM). */
  'row-col': {
    label: 'Row, column',
    hint: '<row_1_col_1>, <row_1_col_2> … <global-img> (what SmolVLM uses)',
    tile: rowAndColumn,
    thumbnail: '<global-img>',
  },
  /** The same with nanoVLM's mark of the whole picture. */
  'row-col-global': {
    label: 'Row, column, global image',
    hint: '<|global_image|> <row_1_col_1>, <row_1_col_2> … (what nanoVLM uses)',
    tile: rowAndColumn,
    thumbnail: '<|global_image|>',
  },
  none: { label: 'None', hint: 'Tiles one after the other, without a word between them', tile: () => '', thumbnail: '' },
} satisfies Record<string, TagNames>;

/** How a tile is named in the text. */
export type TagFormat = keyof typeof TAG_FORMATS;

export const TAG_FORMAT_NAMES = Object.keys(TAG_FORMATS) as TagFormat[];

/**
 * Tags of the tiles in row-major order, then the thumbnail's where there is one. A picture of one tile has the thumbnail's tag.
 * @param count cols·rows, or one more with a thumbnail
 */
export function tileTags(grid: { cols: number; rows: number }, count: number, format: TagFormat): string[] {
  const names: TagNames = TAG_FORMATS[format];
  const regular = grid.cols * grid.rows;
  if (count !== regular && (regular === 1 || count !== regular + 1)) {
    throw new RangeError(`A grid of ${grid.cols}×${grid.rows} does not give ${count} tiles.`);
  }
  if (count === 1) return [names.thumbnail];
  const tags = Array.from({ length: regular }, (_, k) => names.tile(k, grid));
  return count > regular ? [...tags, names.thumbnail] : tags;
}
