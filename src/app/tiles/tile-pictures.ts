import { throwIfAborted } from '../../errors.ts';
import type { RgbImage, Tiling } from '../../tiling/types.ts';

/** A tile ready to be drawn. */
export interface TilePicture {
  /** Exactly the pixels that the model sees, before normalisation. */
  pixels: HTMLCanvasElement;
  /** The same, at most 256 pixels a side: shrunk once, so that drawing a dozen tiles small is quick. */
  small: HTMLCanvasElement;
  /** One pixel a visual token. */
  mosaic: HTMLCanvasElement;
}

const SMALL = 256;
/** Pixels that are copied before the page gets a turn: a few milliseconds on a slow machine. */
const PIXELS_A_TURN = 200_000;

/**
 * Draws every tile once, in small turns so that the page never waits for long.
 *
 * @param across visual tokens along a side of a tile
 */
export async function paintTiles(tiling: Tiling, across: number, signal: AbortSignal): Promise<TilePicture[]> {
  const pictures: TilePicture[] = [];
  for (const tile of tiling.tiles) {
    const pixels = await paint(tile.pixels, signal);
    const small = pixels.width > SMALL ? shrunk(pixels, SMALL) : pixels;
    pictures.push({ pixels, small, mosaic: shrunk(small, across) });
  }
  return pictures;
}

/** What to draw a tile from that is shown `side` CSS pixels large. */
export function pictureFor({ pixels, small }: TilePicture, side: number): HTMLCanvasElement {
  return side * window.devicePixelRatio <= small.width ? small : pixels;
}

function shrunk(source: HTMLCanvasElement, side: number): HTMLCanvasElement {
  const canvas = canvasOf(side, side);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, side, side);
  return canvas;
}

async function paint(image: RgbImage, signal: AbortSignal): Promise<HTMLCanvasElement> {
  const canvas = canvasOf(image.width, image.height);
  const context = canvas.getContext('2d')!;
  const rowsATurn = Math.max(1, Math.floor(PIXELS_A_TURN / image.width));
  for (let top = 0; top < image.height; top += rowsATurn) {
    const rows = Math.min(rowsATurn, image.height - top);
    const target = new ImageData(image.width, rows);
    const rgba = new Uint32Array(target.data.buffer);
    let from = top * image.width * 3;
    for (let i = 0; i < rgba.length; i++, from += 3) {
      // Little-endian, as every platform with a browser is: alpha, blue, green, red.
      rgba[i] = 0xff000000 | (image.data[from + 2]! << 16) | (image.data[from + 1]! << 8) | image.data[from]!;
    }
    context.putImageData(target, 0, top);
    await nextTurn();
    throwIfAborted(signal);
  }
  return canvas;
}

/** The file as the browser shows it (first frame, upright), no larger than a screen; null when it cannot read it. */
export async function decodeForDisplay(
  bytes: Uint8Array,
  type: string,
  largestSide: number,
): Promise<ImageBitmap | null> {
  try {
    const full = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type }));
    const scale = largestSide / Math.max(full.width, full.height);
    if (scale >= 1) return full;
    const small = await createImageBitmap(full, {
      resizeWidth: Math.max(1, Math.round(full.width * scale)),
      resizeHeight: Math.max(1, Math.round(full.height * scale)),
      resizeQuality: 'medium',
    });
    full.close();
    return small;
  } catch {
    return null;
  }
}

function canvasOf(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
