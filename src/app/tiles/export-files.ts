import { NvlmError } from '../../errors.ts';
import type { TileLayout } from '../../tiling/types.ts';
import { inspectionJson } from '../../engine/inspect/inspection-json.ts';
import { tileMark, tileNumber } from './tile-names.ts';
import type { Shown } from './use-inspection.ts';

/** The names that `nvlm inspect --dump-tiles` gives. */
export function tileFileName(tiles: readonly TileLayout[], index: number): string {
  const isThumbnail = tiles[index]?.thumbnail && tiles.length > 1;
  return isThumbnail ? 'thumbnail.png' : `tile_${tileNumber(tiles, index)}.png`;
}

/** The same JSON as `nvlm inspect --json`. */
export function jsonFile(shown: Shown): Blob {
  return new Blob([`${JSON.stringify(inspectionJson(shown.inspection), null, 2)}\n`], { type: 'application/json' });
}

export function encodeCanvas(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else
        reject(new NvlmError('out-of-memory', 'The browser could not write the PNG.', 'Choose a smaller tile size, or save single tiles.'));
    }, 'image/png');
  });
}

export function encodeBitmap(bitmap: ImageBitmap): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d')!.drawImage(bitmap, 0, 0);
  return encodeCanvas(canvas);
}

const GAP = 16;
const MARGIN = 24;
/** No browser draws much larger canvases everywhere. */
const LARGEST_SHEET = 8192;

/**
 * All tiles pulled apart on one sheet, as large as they are, each with its number and tag; the thumbnail stands last,
 * by itself.
 */
export function contactSheet(shown: Shown): HTMLCanvasElement {
  const { tiles, grid, image, options } = shown.inspection.tiling;
  const side = options.tileSize;
  const type = Math.max(11, Math.min(20, Math.round(side / 16)));
  const caption = type * 2;
  const thumbnail = tiles.length > grid.cols * grid.rows;
  const columns = grid.cols + (thumbnail ? 1 : 0);
  const width = 2 * MARGIN + columns * (side + GAP) - GAP + (thumbnail ? GAP : 0);
  const height = 2 * MARGIN + grid.rows * (side + caption + GAP) - GAP + caption;
  const scale = Math.min(1, LARGEST_SHEET / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(Math.round(width * scale), 320);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  context.textBaseline = 'middle';
  context.imageSmoothingQuality = 'high';
  for (const tile of tiles) {
    const apart = thumbnail && tile.thumbnail;
    const x = MARGIN + (apart ? grid.cols * (side + GAP) + GAP : tile.col * (side + GAP));
    const y = MARGIN + (apart ? ((grid.rows - 1) * (side + caption + GAP)) / 2 : tile.row * (side + caption + GAP));
    context.drawImage(shown.pictures[tile.index]!.pixels, x, y, side, side);
    context.fillStyle = '#33485c';
    context.font = `${type}px ui-monospace, Menlo, Consolas, monospace`;
    const words = tile.tag || `${tileMark(tiles, tile.index)}`;
    context.fillText(words, x, y + side + caption / 2, side);
  }
  context.fillStyle = '#545d57';
  context.font = `${type}px system-ui, sans-serif`;
  const { title } = shown.inspection.geometry;
  const cut = `${grid.cols} × ${grid.rows} tiles of ${side} px`;
  const line = `${image.width} × ${image.height} → ${cut} · ${shown.inspection.tokens.visual} visual tokens · ${title}`;
  context.fillText(line, MARGIN, height - MARGIN - caption / 4, Math.max(width, 320) - 2 * MARGIN);
  return canvas;
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** `photo.jpg` → `photo` + suffix. */
export function exportName(source: string, suffix: string): string {
  const stem = source
    .replace(/\.[a-z0-9]{1,5}$/i, '')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|-+$/g, '');
  return `${stem || 'picture'}-${suffix}`;
}
