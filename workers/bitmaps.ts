import type { RgbImage } from '../src/tiling/types.ts';

/** A tile ready to be drawn. */
export interface TilePicture {
  /** Exactly the pixels that the model sees, before normalisation. */
  pixels: ImageBitmap;
  /** The same, at most 256 pixels a side: shrunk once, so that drawing a dozen tiles small is quick. */
  small: ImageBitmap;
  /** One pixel a visual token. */
  mosaic: ImageBitmap;
}

const SMALL = 256;

/** @param across visual tokens along a side of the tile */
export function tilePicture(image: RgbImage, across: number): TilePicture {
  const full = canvasOf(image.width, image.height);
  full.context.putImageData(rgbaOf(image), 0, 0);
  const small = image.width > SMALL ? shrunk(full.canvas, SMALL) : null;
  const mosaic = shrunk(small ?? full.canvas, across);
  // Last: this empties the canvas.
  const pixels = full.canvas.transferToImageBitmap();
  return {
    pixels,
    small: small?.transferToImageBitmap() ?? pixels,
    mosaic: mosaic.transferToImageBitmap(),
  };
}

/** The file as the browser shows it (first frame, upright), no larger than a screen; null when it cannot read it. */
export async function displayPicture(file: Blob, largestSide: number): Promise<ImageBitmap | null> {
  try {
    const full = await createImageBitmap(file);
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

function rgbaOf({ width, height, data }: RgbImage): ImageData {
  const image = new ImageData(width, height);
  const rgba = new Uint32Array(image.data.buffer);
  for (let i = 0, from = 0; i < rgba.length; i++, from += 3) {
    // Little-endian, as every platform with a browser is: alpha, blue, green, red.
    rgba[i] = 0xff000000 | (data[from + 2]! << 16) | (data[from + 1]! << 8) | data[from]!;
  }
  return image;
}

function shrunk(source: OffscreenCanvas, side: number): OffscreenCanvas {
  const { canvas, context } = canvasOf(side, side);
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, side, side);
  return canvas;
}

function canvasOf(width: number, height: number) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) throw new Error(`The browser gave no canvas of ${width} × ${height} pixels.`);
  return { canvas, context };
}
