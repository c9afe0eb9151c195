import { corrupt } from './image-limits.ts';
import { COLOUR, type PngChunks } from './png-chunks.ts';
import type { RgbImage } from './types.ts';
import { onWhite } from './white.ts';

/** Pixels (x0 + i·dx, y0 + j·dy) of the picture. */
interface Pass {
  x0: number;
  y0: number;
  dx: number;
  dy: number;
}

const ADAM7: readonly Pass[] = [
  { x0: 0, y0: 0, dx: 8, dy: 8 },
  { x0: 4, y0: 0, dx: 8, dy: 8 },
  { x0: 0, y0: 4, dx: 4, dy: 8 },
  { x0: 2, y0: 0, dx: 4, dy: 4 },
  { x0: 0, y0: 2, dx: 2, dy: 4 },
  { x0: 1, y0: 0, dx: 2, dy: 2 },
  { x0: 0, y0: 1, dx: 1, dy: 2 },
];

/**
 * Takes the inflated bytes of a PNG in any portions and holds two rows of them at a time; the rest is the RGB picture
 * itself.
 */
export class PngRows {
  readonly image: RgbImage;
  readonly #png: PngChunks;
  readonly #passes: Pass[];
  readonly #toRgb: (samples: Uint8Array | Uint16Array, count: number, to: number, step: number) => void;
  #pass = 0;
  #row = 0;
  /** Filter byte and row; `#filled` of its bytes have come. */
  #current = new Uint8Array(0);
  #previous = new Uint8Array(0);
  #filled = 0;
  #samples: Uint8Array | Uint16Array;

  constructor(png: PngChunks) {
    const { width, height, depth, channels } = png;
    this.#png = png;
    this.#passes = (png.interlaced ? ADAM7 : [{ x0: 0, y0: 0, dx: 1, dy: 1 }]).filter((p) => p.x0 < width && p.y0 < height);
    this.#samples = depth === 16 ? new Uint16Array(width * channels) : new Uint8Array(width * channels);
    this.image = { width, height, data: new Uint8Array(width * height * 3) };
    this.#toRgb = converter(png, this.image.data);
    this.#startPass();
  }

  get complete(): boolean {
    return this.#pass === this.#passes.length;
  }

  /** @throws NvlmError `bad-image` when more comes than the declared size holds, or a row's filter is unknown */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.complete) throw corrupt('PNG', 'it unpacks to more data than its declared size holds');
      const take = Math.min(bytes.length - at, this.#current.length - this.#filled);
      this.#current.set(bytes.subarray(at, at + take), this.#filled);
      at += take;
      this.#filled += take;
      if (this.#filled === this.#current.length) this.#endRow();
    }
  }

  #passWidth(pass: Pass): number {
    return Math.ceil((this.#png.width - pass.x0) / pass.dx);
  }

  #startPass(): void {
    const pass = this.#passes[this.#pass];
    this.#row = 0;
    this.#filled = 0;
    if (!pass) return;
    const rowBytes = Math.ceil((this.#passWidth(pass) * this.#png.channels * this.#png.depth) / 8);
    this.#current = new Uint8Array(rowBytes + 1);
    this.#previous = new Uint8Array(rowBytes + 1);
  }

  #endRow(): void {
    const { depth, channels, width, height } = this.#png;
    const pass = this.#passes[this.#pass]!;
    const y = pass.y0 + this.#row * pass.dy;
    unfilter(this.#current, this.#previous, Math.max(1, (channels * depth) >> 3));
    const count = this.#passWidth(pass);
    const to = (y * width + pass.x0) * 3;
    if (depth === 8) this.#toRgb(this.#current.subarray(1), count, to, pass.dx * 3);
    else {
      unpack(this.#current, depth, this.#samples, count * channels);
      this.#toRgb(this.#samples, count, to, pass.dx * 3);
    }
    [this.#current, this.#previous] = [this.#previous, this.#current];
    this.#filled = 0;
    this.#row++;
    if (y + pass.dy >= height) {
      this.#pass++;
      this.#startPass();
    }
  }
}

/** Undoes a row's filter in place; `row[0]` is its type, `bpp` the bytes a pixel (PNG specification §9). */
function unfilter(row: Uint8Array, above: Uint8Array, bpp: number): void {
  const n = row.length;
  switch (row[0]) {
    case 0:
      return;
    case 1:
      for (let i = bpp + 1; i < n; i++) row[i] = row[i]! + row[i - bpp]!;
      return;
    case 2:
      for (let i = 1; i < n; i++) row[i] = row[i]! + above[i]!;
      return;
    case 3:
      for (let i = 1; i < n; i++) row[i] = row[i]! + (((i > bpp ? row[i - bpp]! : 0) + above[i]!) >> 1);
      return;
    case 4:
      for (let i = 1; i <= bpp && i < n; i++) row[i] = row[i]! + above[i]!;
      for (let i = bpp + 1; i < n; i++) {
        const a = row[i - bpp]!;
        const b = above[i]!;
        const c = above[i - bpp]!;
        const pa = Math.abs(b - c);
        const pb = Math.abs(a - c);
        const pc = Math.abs(a + b - 2 * c);
        row[i] = row[i]! + (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
      }
      return;
    default:
      throw corrupt('PNG', `a row has the unknown filter ${row[0]}`);
  }
}

/** Spreads packed 1-, 2-, 4- or big-endian 16-bit samples of a row (filter byte first), one an element. */
function unpack(row: Uint8Array, depth: number, samples: Uint8Array | Uint16Array, count: number): void {
  if (depth === 16) {
    for (let i = 0; i < count; i++) samples[i] = (row[2 * i + 1]! << 8) | row[2 * i + 2]!;
    return;
  }
  const mask = (1 << depth) - 1;
  for (let i = 0; i < count; i++) {
    const bit = i * depth;
    samples[i] = (row[1 + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
  }
}

/** Chooses, once a picture, how a row's samples become RGB on white at `out[to]`, `out[to + step]`, … */
function converter(png: PngChunks, out: Uint8Array): (samples: Uint8Array | Uint16Array, count: number, to: number, step: number) => void {
  const { depth, colour, channels, palette, transparency } = png;
  if (colour === COLOUR.palette) {
    const colours = new Uint8Array(256 * 3); // an index beyond the palette is black, as in Pillow
    for (let i = 0; i < Math.min(256, Math.floor(palette.length / 3)); i++) {
      for (let c = 0; c < 3; c++) colours[i * 3 + c] = onWhite(palette[i * 3 + c]!, transparency?.[i] ?? 255);
    }
    return (samples, count, to, step) => {
      for (let i = 0; i < count; i++, to += step) {
        const from = samples[i]! * 3;
        out[to] = colours[from]!;
        out[to + 1] = colours[from + 1]!;
        out[to + 2] = colours[from + 2]!;
      }
    };
  }
  // The high byte of 16 bits; fewer than 8 bits spread to 0–255. Grey of 16 bits alone stays as it is and ends at 255, because
  // that is what Pillow's convert("RGB"), and so every processor, makes of it.
  const clipped = depth === 16 && colour === COLOUR.grey;
  const shift = depth === 16 && !clipped ? 8 : 0;
  const scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  const coloured = channels >= 3;
  const hasAlpha = colour === COLOUR.greyAlpha || colour === COLOUR.rgba;
  const key = !hasAlpha && transparency && transparency.length >= channels * 2 ? colourKey(transparency, depth) : null;
  return (samples, count, to, step) => {
    for (let i = 0, from = 0; i < count; i++, from += channels, to += step) {
      let r = clipped ? Math.min(samples[from]!, 255) : (samples[from]! >> shift) * scale;
      let g = coloured ? (samples[from + 1]! >> shift) * scale : r;
      let b = coloured ? (samples[from + 2]! >> shift) * scale : r;
      if (hasAlpha) {
        const alpha = samples[from + channels - 1]! >> shift;
        if (alpha !== 255) {
          r = onWhite(r, alpha);
          g = onWhite(g, alpha);
          b = onWhite(b, alpha);
        }
      } else if (key && samples[from] === key[0] && (!coloured || (samples[from + 1] === key[1] && samples[from + 2] === key[2]))) {
        r = g = b = 255;
      }
      out[to] = r;
      out[to + 1] = g;
      out[to + 2] = b;
    }
  };
}

/** The colour that is see-through: of its 16 bits those that a sample has (PNG specification §11.3.2.1). */
function colourKey(transparency: Uint8Array, depth: number): number[] {
  const mask = (1 << depth) - 1;
  return Array.from({ length: transparency.length >> 1 }, (_, i) => ((transparency[2 * i]! << 8) | transparency[2 * i + 1]!) & mask);
}
