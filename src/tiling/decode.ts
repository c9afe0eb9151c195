import { NvlmError } from '../errors.ts';
import { decodeJpeg } from './jpeg.ts';
import { MAX_FILE_BYTES } from './image-limits.ts';
import { orient } from './orient.ts';
import { decodePng } from './png.ts';
import { sniffFormat } from './sniff.ts';
import type { RgbImage } from './types.ts';
import { decodeWebp } from './webp.ts';

/**
 * Decodes a PNG, JPEG or WebP file to upright 8-bit RGB; the same pixels in Node, a page and a worker, since no
 * platform decoder is involved. Pictures are turned as EXIF or XMP says, alpha is composited on white, 16-bit samples are
 * cut to their high byte (grey without alpha: to 255), animations give their first frame. Colour profiles are ignored, as in
 * Pillow, whose pixels these are, but that CMYK JPEG is within 3/255, and that a colour key in a PNG of 2, 4 or 16 bits a sample
 * is compared with the samples themselves, as PNG has it, where Pillow compares it with their 8-bit form.
 * @param bytes the encoded file, at most 64 MiB; not modified
 * @throws NvlmError `bad-image` (not a picture, unknown format, truncated, damaged, under 2×2, beyond 200:1) or
 *   `image-too-large` (over 25 megapixels or 64 MiB); sizes are refused by the header, before pixels are allocated
 */
export async function decodeImage(bytes: Uint8Array): Promise<RgbImage> {
  if (bytes.length > MAX_FILE_BYTES) {
    throw new NvlmError(
      'image-too-large',
      `The image file has ${(bytes.length / 2 ** 20).toFixed(0)} MiB.`,
      `Save it smaller: at most ${MAX_FILE_BYTES / 2 ** 20} MiB.`,
    );
  }
  const format = sniffFormat(bytes);
  const decoders = { PNG: decodePng, JPEG: decodeJpeg, WebP: decodeWebp };
  const { image, orientation } = await decoders[format](bytes);
  return orient(image, orientation);
}
