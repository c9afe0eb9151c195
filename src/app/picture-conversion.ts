import { NvlmError } from '../errors.ts';

/** As many pixels as the engine takes. */
const MAX_PIXELS = 25_000_000;

/**
 * What the browser can decode and the engine cannot (AVIF, GIF, BMP, HEIC in Safari), as a PNG file, first frame.
 *
 * @returns null when the browser cannot decode it either
 */
export async function convertToPng(file: Blob): Promise<Uint8Array | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  try {
    if (bitmap.width * bitmap.height > MAX_PIXELS) {
      throw new NvlmError('image-too-large', `The picture has ${bitmap.width} × ${bitmap.height} pixels.`, 'Make it smaller first.');
    }
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext('2d')!.drawImage(bitmap, 0, 0);
    const png = await canvas.convertToBlob({ type: 'image/png' });
    return new Uint8Array(await png.arrayBuffer());
  } finally {
    bitmap.close();
  }
}
