import { NvlmError } from '../errors.ts';
import type { DecodedImage } from './decoded-image.ts';
import { corrupt, truncated } from './image-limits.ts';
import { inflate } from './inflate.ts';
import { orientationOf } from './orientation.ts';
import { readPngChunks } from './png-chunks.ts';
import { pngMetadata } from './png-metadata.ts';
import { PngRows } from './png-rows.ts';

/**
 * Decodes any PNG: 1–16 bits, grey, colour, palette, alpha or colour key, interlaced or not; an APNG gives its IDAT
 * picture. Written here because npm's PNG decoders inflate without a bound: this one inflates row by row on the
 * platform's own DecompressionStream and stops at the first byte beyond the declared size.
 * @throws NvlmError `bad-image`, `image-too-large`
 */
export async function decodePng(bytes: Uint8Array): Promise<DecodedImage> {
  const png = readPngChunks(bytes);
  const rows = new PngRows(png);
  try {
    for await (const piece of inflate(png.data)) rows.push(piece);
  } catch (error) {
    if (error instanceof NvlmError) throw error;
    // With every row there, what is wrong behind them (the zlib checksum, trailing bytes) cannot change the picture.
    if (!rows.complete) throw png.cut ? truncated('PNG') : corrupt('PNG', 'its compressed data cannot be unpacked', error);
  }
  if (!rows.complete) throw truncated('PNG');
  return { image: rows.image, orientation: orientationOf(await pngMetadata(png.metadata)) };
}
