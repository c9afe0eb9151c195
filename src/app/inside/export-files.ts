import type { Engine } from '../../engine/api.ts';
import type { AttentionKind, InsideTrace } from '../../engine/inside/inside-api.ts';
import { encodeCanvas } from '../tiles/export-files.ts';
import type { Shown } from '../tiles/use-inspection.ts';
import { KINDS } from './cells.ts';
import { drawHeat, HEAT, strength, type HeatScene } from './draw-heat.ts';
import { cellRect, heatLayout } from './heat-layout.ts';
import type { InsideSettings } from './settings.ts';
import type { WorthState } from './use-worth.ts';

export type SceneNumbers = Pick<HeatScene, 'view' | 'map' | 'largest' | 'labels' | 'words'>;

const WIDTH = 960;
const MOST_HEIGHT = 1200;
const CAPTION = 44;
const PAPER = '#ffffff';

function sceneOf(about: InsideTrace, shown: Shown, numbers: SceneNumbers): HeatScene {
  const layout = heatLayout(about.layout!, numbers.view, WIDTH, MOST_HEIGHT);
  return {
    ...numbers,
    layout,
    across: about.layout!.cellsAcross,
    original: shown.original,
    pictures: shown.pictures,
    focus: null,
    surface: PAPER,
  };
}

/** The picture as it is on show, with what it shows written below, at twice the size. */
export function pngFile(about: InsideTrace, shown: Shown, numbers: SceneNumbers, caption: string): Promise<Blob> {
  const scene = sceneOf(about, shown, numbers);
  const canvas = document.createElement('canvas');
  canvas.width = 2 * WIDTH;
  canvas.height = Math.round(2 * (scene.layout.height + CAPTION));
  const context = canvas.getContext('2d')!;
  context.scale(2, 2);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawHeat(context, scene);
  context.fillStyle = '#191e1b';
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.font = '15px system-ui, sans-serif';
  context.fillText(caption, 4, scene.layout.height + CAPTION / 2, WIDTH - 8);
  return encodeCanvas(canvas);
}

/** The same as vectors: every cell a rectangle that bears its number, the picture below them as a PNG. */
export async function svgFile(about: InsideTrace, shown: Shown, numbers: SceneNumbers, caption: string): Promise<Blob> {
  const scene = sceneOf(about, shown, numbers);
  const { layout, across, map, largest } = scene;
  const height = layout.height + CAPTION;
  const background = document.createElement('canvas');
  background.width = WIDTH;
  background.height = Math.ceil(layout.height);
  drawHeat(background.getContext('2d')!, { ...scene, map: [], labels: [], words: null });
  const cells = map.flatMap((values, tile) =>
    [...(values ?? [])].map((value, cell) => {
      const { x, y, width, height } = cellRect(layout, across, tile, cell);
      const box = [x, y, width, height].map((number) => number.toFixed(2));
      return `<rect x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" fill="${value < 0 ? HEAT.negative : HEAT.positive}" fill-opacity="${strength(value, largest).toFixed(3)}"><title>${value}</title></rect>`;
    }),
  );
  const words = (scene.words ?? []).flatMap((said, tile) =>
    (said ?? []).map((word, cell) => {
      const { x, y, width, height } = cellRect(layout, across, tile, cell);
      return `<text x="${(x + width / 2).toFixed(2)}" y="${(y + height / 2).toFixed(2)}" text-anchor="middle" dominant-baseline="central" font-size="12" font-family="monospace">${escaped(word)}</text>`;
    }),
  );
  const labels = scene.labels.map(
    (label, tile) =>
      `<text x="${(layout.tiles[tile]!.x + 5).toFixed(2)}" y="${(layout.tiles[tile]!.y + 16).toFixed(2)}" font-size="13" font-weight="600">${escaped(label)}</text>`,
  );
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height.toFixed(2)}" font-family="system-ui, sans-serif">`,
    `<title>${escaped(caption)}</title>`,
    `<rect width="100%" height="100%" fill="${PAPER}"/>`,
    `<image width="${WIDTH}" height="${background.height}" href="${await dataUrl(await encodeCanvas(background))}"/>`,
    ...cells,
    ...words,
    ...labels,
    `<text x="4" y="${(layout.height + CAPTION / 2).toFixed(2)}" dominant-baseline="central" font-size="15">${escaped(caption)}</text>`,
    '</svg>',
  ];
  return new Blob([svg.join('\n')], { type: 'image/svg+xml' });
}

/** More single weights than this are left to `nvlm inside --output`. */
const MOST_WEIGHTS = 4 * 1024 * 1024;

/** Everything as numbers: the answer, the layout of the tiles, whose each key is, and the weights of every head of every layer. */
export async function jsonFile(
  engine: Engine,
  about: InsideTrace,
  question: string,
  settings: InsideSettings,
  worth: { tiles: WorthState['worth']; cells: WorthState['worth'] },
): Promise<Blob> {
  const attention: Partial<Record<AttentionKind, object>> = {};
  for (const kind of KINDS) {
    const layers = about.layers[kind];
    const keys = about.keys[kind].at(-1)?.end ?? 0;
    if (layers.length === 0 || layers.length * about.heads * about.answer.length * keys > MOST_WEIGHTS) continue;
    const first = about.rows.length - about.answer.length;
    const tokens = [];
    for (let token = 0; token < about.answer.length; token++) {
      const { values } = await engine.insideHeads({ trace: about.trace, kind, rows: [first + token] });
      tokens.push([...values].map((value) => Number(value.toPrecision(6))));
    }
    attention[kind] = {
      axes: ['answer token', 'layer × head × key, row-major'],
      layers,
      heads: about.heads,
      keys,
      runs: about.keys[kind],
      weights: tokens,
    };
  }
  const { trace: _, ...rest } = about;
  const worths = { tiles: worth.tiles.length > 0 ? worth.tiles : null, cells: worth.cells.length > 0 ? worth.cells : null };
  return new Blob([`${JSON.stringify({ question, changes: settings.changes, ...rest, attention, worth: worths })}\n`], {
    type: 'application/json',
  });
}

function escaped(text: string): string {
  return text.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error('The picture could not be read back.'));
    reader.readAsDataURL(blob);
  });
}
