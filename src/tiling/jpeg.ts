import mozjpeg from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import type { DecodedImage } from './decoded-image.ts';
import { corrupt, truncated } from './image-limits.ts';
import { decodeCmykJpeg } from './jpeg-cmyk.ts';
import { readJpegHeader } from './jpeg-header.ts';
import type { RgbImage } from './types.ts';
import { instantiateCodec, type WasmCodec } from './wasm-codec.ts';
import { compositeOnWhite } from './white.ts';

interface MozjpegDecoder {
  /** RGBA pixels; with `preserveOrientation` false, as stored. */
  decode(bytes: Uint8Array, preserveOrientation: boolean): { data: Uint8ClampedArray; width: number; height: number } | null;
}

const CODEC: WasmCodec<MozjpegDecoder> = {
  file: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm',
  url: () => new URL('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', import.meta.url),
  factory: mozjpeg as unknown as WasmCodec<MozjpegDecoder>['factory'],
};

/**
 * libjpeg only warns about these and fills the rest with grey; its other warnings (stray bytes, odd JFIF) do no harm.
 */
const FATAL_WARNING = /premature end|bad Huffman|instead of RST/i;

/**
 * Decodes a JPEG: baseline or progressive, grey, colour, CMYK. Colour goes through libjpeg-turbo's accurate integer DCT
 * and smooth chroma upsampling (mozjpeg as wasm): Pillow's pixels, but for the rare 4:4:0 sampling
 * (up to 2/255 away).
 * @throws NvlmError `bad-image`, `image-too-large`
 */
export async function decodeJpeg(bytes: Uint8Array): Promise<DecodedImage> {
  const header = readJpegHeader(bytes);
  const image = header.components === 4 ? await decodeCmykJpeg(bytes, header) : await decodeColour(bytes, header);
  return { image, orientation: header.orientation };
}

async function decodeColour(bytes: Uint8Array, header: { width: number; height: number }): Promise<RgbImage> {
  const said: string[] = [];
  const decoder = await instantiateCodec(CODEC, (line) => said.push(line));
  let pixels: ReturnType<MozjpegDecoder['decode']>;
  try {
    pixels = decoder.decode(bytes, false);
  } catch (error) {
    throw corrupt('JPEG', said[0] ?? 'it cannot be decoded', error);
  }
  const fatal = said.find((line) => FATAL_WARNING.test(line));
  if (fatal) throw /premature/i.test(fatal) ? truncated('JPEG') : corrupt('JPEG', fatal);
  if (!pixels || pixels.width !== header.width || pixels.height !== header.height) throw corrupt('JPEG', 'it cannot be decoded');
  return compositeOnWhite(pixels.data, pixels.width, pixels.height);
}
