import libwebp from '@jsquash/webp/codec/dec/webp_dec.js';
import type { DecodedImage } from './decoded-image.ts';
import { corrupt } from './image-limits.ts';
import { instantiateCodec, type WasmCodec } from './wasm-codec.ts';
import { readWebp } from './webp-container.ts';
import { compositeOnWhite } from './white.ts';

interface LibwebpDecoder {
  /** RGBA pixels, not premultiplied. */
  decode(bytes: Uint8Array): { data: Uint8ClampedArray; width: number; height: number } | null;
}

const CODEC: WasmCodec<LibwebpDecoder> = {
  file: '@jsquash/webp/codec/dec/webp_dec.wasm',
  url: () => new URL('@jsquash/webp/codec/dec/webp_dec.wasm', import.meta.url),
  factory: libwebp as unknown as WasmCodec<LibwebpDecoder>['factory'],
};

/**
 * Decodes a WebP: lossy, lossless, with alpha, or the first frame of an animation, where what the frame leaves free is
 * white.
 * @throws NvlmError `bad-image`, `image-too-large`
 */
export async function decodeWebp(bytes: Uint8Array): Promise<DecodedImage> {
  const { canvas, frame, still, orientation } = readWebp(bytes);
  const decoder = await instantiateCodec(CODEC, () => {});
  let pixels: ReturnType<LibwebpDecoder['decode']>;
  try {
    pixels = decoder.decode(still);
  } catch (error) {
    throw corrupt('WebP', 'it cannot be decoded', error);
  }
  if (!pixels || pixels.width !== frame.width || pixels.height !== frame.height) throw corrupt('WebP', 'it cannot be decoded');
  return { image: compositeOnWhite(pixels.data, canvas.width, canvas.height, frame), orientation };
}
