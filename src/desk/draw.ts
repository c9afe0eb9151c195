import { FONT_OUTLINES } from './glyphs.ts';
import { MASK, glyphMask, shapeMask } from './masks.ts';
import type { Mask } from './masks.ts';
import type { Random } from './random.ts';
import type { Scene } from './scene.ts';
import { CELL, COLOUR_RGB } from './vocabulary.ts';
import type { Rgb } from './vocabulary.ts';

/** 8-bit RGB, row-major, three bytes a pixel: the form that the tiling code takes. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}

/** How a scene looks. */
export interface Style {
  background: Rgb;
  ink: Rgb;
  /** Index into FONT_OUTLINES. */
  font: number;
  /** Em in pixels, 19–27. */
  size: number;
  /** Shift of all writing in pixels. */
  shift: { x: number; y: number };
  /** Rows may change font and size. */
  mixed: boolean;
  /** Characters and shapes stray by a pixel or some, shapes vary in size and shade. */
  jitter: boolean;
  /** Standard deviation of the grain. */
  noise: number;
}

/** The training pictures' looks: 12 % light on dark, 40 % with several fonts, three of four grainy. */
export function randomStyle(rng: Random): Style {
  const dark = rng.random() < 0.12;
  const colour = (low: number, high: number): Rgb => [rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)];
  return {
    background: dark ? colour(0, 50) : colour(228, 255),
    ink: dark ? colour(190, 255) : colour(0, 90),
    font: rng.randint(0, FONT_OUTLINES.length - 1),
    size: rng.randint(19, 27),
    shift: { x: rng.randint(-2, 2), y: rng.randint(-2, 2) },
    mixed: rng.random() >= 0.6,
    jitter: true,
    noise: rng.choice([0, 2, 5, 8]),
  };
}

/** Dark on white in one clear font, nothing astray. */
export const PLAIN_STYLE: Style = {
  background: [252, 252, 250],
  ink: [24, 26, 32],
  font: 0,
  size: 24,
  shift: { x: 0, y: 0 },
  mixed: false,
  jitter: false,
  noise: 0,
};

/** Draws the scene, 28 px a cell; the same scene, style and state of `rng` give the same bytes on every engine. */
export function drawScene(scene: Scene, style: Style, rng: Random): Picture {
  const canvas = new Canvas(scene.width * CELL, scene.height * CELL, style.background);
  const stray = (most: number) => (style.jitter ? rng.randint(-1, 1) * most : 0);
  let { font, size } = style;
  for (let row = 0; row < scene.height; row++) {
    if (style.mixed && rng.random() < 0.5) {
      font = rng.randint(0, FONT_OUTLINES.length - 1);
      size = rng.randint(19, 27);
    }
    for (let col = 0; col < scene.width; col++) {
      const cell = scene.cells[row * scene.width + col];
      const [x, y] = [col * CELL, row * CELL];
      if (!cell) continue;
      if (cell.kind === 'character') {
        const mask = glyphMask(font, size, cell.character);
        canvas.blend(mask, x + style.shift.x + stray(1), y + style.shift.y, style.ink);
      } else if (cell.kind === 'shape') {
        const [small, big] = style.jitter ? [rng.randint(11, 14), rng.randint(23, 26)] : [13, 25];
        const shade = style.jitter ? () => rng.randint(-14, 14) : () => 0;
        const [r, g, b] = COLOUR_RGB[cell.colour];
        const far = cell.big ? 1 : 4;
        const mask = shapeMask(cell.shape, cell.big ? big : small);
        canvas.blend(mask, x + stray(far), y + stray(far), [r + shade(), g + shade(), b + shade()]);
      } else {
        canvas.fill(x + 4, y, 20, CELL, COLOUR_RGB[cell.colour]);
      }
    }
  }
  return canvas.finish(style.noise, rng);
}

class Canvas {
  readonly #pixels: Float32Array;

  constructor(
    readonly width: number,
    readonly height: number,
    background: Rgb,
  ) {
    this.#pixels = new Float32Array(width * height * 3);
    this.fill(0, 0, width, height, background);
  }

  fill(left: number, top: number, width: number, height: number, colour: Rgb): void {
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) this.#pixels.set(colour, (y * this.width + x) * 3);
    }
  }

  /** Lays `colour` through the mask, centred on the cell with corner (x, y); cut at the picture's edges. */
  blend(mask: Mask, x: number, y: number, colour: Rgb): void {
    const [left, top] = [x - (MASK - CELL) / 2, y - (MASK - CELL) / 2];
    for (let my = Math.max(0, -top); my < MASK && top + my < this.height; my++) {
      for (let mx = Math.max(0, -left); mx < MASK && left + mx < this.width; mx++) {
        const alpha = (mask[my * MASK + mx] ?? 0) / 255;
        if (alpha === 0) continue;
        const at = ((top + my) * this.width + left + mx) * 3;
        for (let k = 0; k < 3; k++) {
          this.#pixels[at + k] = (this.#pixels[at + k] ?? 0) * (1 - alpha) + (colour[k] ?? 0) * alpha;
        }
      }
    }
  }

  finish(noise: number, rng: Random): Picture {
    const data = new Uint8Array(this.#pixels.length);
    for (let at = 0; at < data.length; at += 3) {
      const grain = noise > 0 ? noise * nearlyNormal(rng) : 0;
      for (let k = 0; k < 3; k++) {
        data[at + k] = Math.min(255, Math.max(0, Math.floor((this.#pixels[at + k] ?? 0) + grain + 0.5)));
      }
    }
    return { width: this.width, height: this.height, data };
  }
}

/** Sum of eight random bytes, centred and scaled to deviation 1: close to normal, and exact where Math.log is not. */
function nearlyNormal(rng: Random): number {
  let sum = 0;
  for (let word = 0; word < 2; word++) {
    const bits = rng.bits();
    sum += (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
  }
  return (sum - 1020) / 209.02153; // √(8 · (256² − 1) / 12)
}
