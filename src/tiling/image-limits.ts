import { NvlmError } from '../errors.ts';

/** Largest encoded file that is looked at. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/**
 * 25 megapixels: 75 MB of RGB, the most a tab should have to hold for a picture that is then shrunk to at most 12
 * tiles.
 */
export const MAX_PIXELS = 25_000_000;
/** No grid of up to 12 tiles shows anything of a longer strip. */
export const MAX_ASPECT = 200;
/** A single row or column holds no picture. */
export const MIN_SIDE = 2;

export function badImage(message: string, fix: string, cause?: unknown): NvlmError {
  return new NvlmError('bad-image', message, fix, cause === undefined ? undefined : { cause });
}

export function truncated(format: string): NvlmError {
  return badImage(`The ${format} file is incomplete: it ends before the picture does.`, 'Download or copy the file again, then retry.');
}

export function corrupt(format: string, detail: string, cause?: unknown): NvlmError {
  return badImage(
    `The ${format} file is damaged: ${detail}.`,
    'Open it in an image editor, save it as a new file, and use that one.',
    cause,
  );
}

/**
 * Refuses a picture by the size that its header declares; called before anything of that size is allocated.
 * @throws NvlmError `bad-image` under 2×2 pixels or beyond 200:1, `image-too-large` over 25 megapixels
 */
export function checkSize(width: number, height: number): void {
  const size = `${width}×${height} pixels`;
  if (width < MIN_SIDE || height < MIN_SIDE) {
    throw badImage(`The picture is only ${size}.`, `Use a picture of at least ${MIN_SIDE}×${MIN_SIDE} pixels.`);
  }
  if (width > MAX_ASPECT * height || height > MAX_ASPECT * width) {
    throw badImage(
      `The picture is ${size}, a strip beyond ${MAX_ASPECT}:1 in which nothing can be made out.`,
      'Crop it to the part that you want to ask about.',
    );
  }
  if (width * height > MAX_PIXELS) {
    throw new NvlmError(
      'image-too-large',
      `The picture is ${size}, ${((width * height) / 1e6).toFixed(1)} megapixels.`,
      `Resize it to at most ${MAX_PIXELS / 1e6} megapixels; no detail is lost, since tiles are smaller than that.`,
    );
  }
}
