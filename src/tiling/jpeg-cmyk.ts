import { corrupt } from './image-limits.ts';
import type { JpegHeader } from './jpeg-header.ts';
import type { RgbImage } from './types.ts';

/** An Adobe APP14 segment that says: four inks, no colour transform. */
const ADOBE_CMYK = Uint8Array.of(0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0);

/**
 * Decodes a four-component JPEG (CMYK or YCCK, inverted as Adobe writes them; files without the marker are taken the
 * same way, as Pillow does). jpeg-js is loaded for these alone: the wasm decoder has no way from CMYK to RGB.
 * @throws NvlmError `bad-image`
 */
export async function decodeCmykJpeg(bytes: Uint8Array, header: JpegHeader): Promise<RgbImage> {
  const { decode } = await import('jpeg-js');
  const file = header.adobe ? bytes : withAdobeMarker(bytes);
  try {
    const { width, height, data } = decode(file, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: 26,
      maxMemoryUsageInMB: 1024,
    });
    return { width, height, data };
  } catch (error) {
    throw corrupt('JPEG', error instanceof Error ? error.message : 'it cannot be decoded', error);
  }
}

function withAdobeMarker(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + ADOBE_CMYK.length);
  out.set(bytes.subarray(0, 2));
  out.set(ADOBE_CMYK, 2);
  out.set(bytes.subarray(2), 2 + ADOBE_CMYK.length);
  return out;
}
