import type { TilePicture } from '../../../workers/bitmaps.ts';
import { pictureFor } from '../tiles/tile-pictures.ts';
import type { CellMap } from './cells.ts';
import { cellRect, type HeatLayout } from './heat-layout.ts';

/** Of numbers above and below zero, over any picture in either theme. */
export const HEAT = { positive: '#ff5a00', negative: '#7a3cff' } as const;
const VEIL = 0.3;
const STRONGEST = 0.78;

export interface HeatScene {
  layout: HeatLayout;
  view: 'joined' | 'tiles';
  across: number;
  /** null when the browser cannot draw it: the tiles stand in its place. */
  original: ImageBitmap | null;
  pictures: TilePicture[];
  map: CellMap;
  /** The number that is drawn strongest. */
  largest: number;
  /** By place in the sequence; '' for none. */
  labels: string[];
  /** By tile and cell; null without. */
  words: (string[] | null)[] | null;
  focus: { tile: number; cell: number } | null;
  surface: string;
}

/** How strongly a number is drawn: bent a little, so that small ones can be seen beside a large one. */
export function strength(value: number, largest: number): number {
  return largest > 0 ? STRONGEST * (Math.abs(value) / largest) ** 0.7 : 0;
}

/** Draws in CSS pixels of `context`. */
export function drawHeat(context: CanvasRenderingContext2D, scene: HeatScene): void {
  const { layout, view, across, original, pictures, map, largest, surface } = scene;
  context.imageSmoothingQuality = 'high';
  const joined = view === 'joined' && original !== null;
  if (joined) {
    const { x, y, width, height } = layout.picture;
    context.drawImage(original, x, y, width, height);
  }
  layout.tiles.forEach(({ x, y, width, height }, tile) => {
    if (!joined || !inside(layout, tile)) context.drawImage(pictureFor(pictures[tile]!, Math.max(width, height)), x, y, width, height);
    context.globalAlpha = VEIL;
    context.fillStyle = surface;
    context.fillRect(x, y, width, height);
    map[tile]?.forEach((value, cell) => {
      context.globalAlpha = strength(value, largest);
      context.fillStyle = value < 0 ? HEAT.negative : HEAT.positive;
      const rect = cellRect(layout, across, tile, cell);
      context.fillRect(rect.x, rect.y, rect.width, rect.height);
    });
    context.globalAlpha = 1;
    context.strokeStyle = surface;
    context.lineWidth = 1.5;
    context.strokeRect(x, y, width, height);
  });
  drawWords(context, scene);
  drawLabels(context, scene);
  if (scene.focus) {
    const { x, y, width, height } = cellRect(layout, across, scene.focus.tile, scene.focus.cell);
    for (const [colour, line] of [
      ['#000000', 4],
      ['#ffffff', 2],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(x + 1, y + 1, width - 2, height - 2);
    }
  }
}

/** Whether a tile is a part of the joined picture. */
function inside({ picture, tiles }: HeatLayout, tile: number): boolean {
  const { x, y, width, height } = tiles[tile]!;
  return x + width / 2 < picture.x + picture.width && y + height / 2 < picture.y + picture.height;
}

/** What each cell says, where there is room for a word. */
function drawWords(context: CanvasRenderingContext2D, { layout, across, words }: HeatScene): void {
  if (!words) return;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  words.forEach((cells, tile) =>
    cells?.forEach((word, cell) => {
      const { x, y, width, height } = cellRect(layout, across, tile, cell);
      const size = Math.min(15, height * 0.55, (width / Math.max(1, word.length)) * 1.5);
      if (size < 6.5) return;
      context.font = `600 ${size}px ui-monospace, Menlo, Consolas, monospace`;
      outlined(context, word, x + width / 2, y + height / 2, width);
    }),
  );
}

function drawLabels(context: CanvasRenderingContext2D, { layout, labels }: HeatScene): void {
  context.textAlign = 'left';
  context.textBaseline = 'top';
  labels.forEach((label, tile) => {
    const { x, y, width } = layout.tiles[tile]!;
    if (label === '' || width < 44) return;
    context.font = '600 12px system-ui, sans-serif';
    outlined(context, label, x + 5, y + 5, width - 8);
  });
}

function outlined(context: CanvasRenderingContext2D, text: string, x: number, y: number, most: number): void {
  context.lineJoin = 'round';
  context.lineWidth = 3;
  context.strokeStyle = 'rgb(0 0 0 / 75%)';
  context.strokeText(text, x, y, most);
  context.fillStyle = '#ffffff';
  context.fillText(text, x, y, most);
}
