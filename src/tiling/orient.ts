import type { RgbImage } from './types.ts';

/**
 * Turns a stored picture upright.
 * @param orientation EXIF tag 0x0112: 1 as stored, 2 mirrored, 3 half turn, 4 flipped, 5 transposed, 6 quarter turn
 *   clockwise, 7 transposed over the other diagonal, 8 quarter turn counter-clockwise; 5–8 swap width and height
 */
export function orient(image: RgbImage, orientation: number): RgbImage {
  if (orientation <= 1 || orientation > 8) return image;
  const { width: w, height: h, data } = image;
  const swap = orientation >= 5;
  const width = swap ? h : w;
  const height = swap ? w : h;
  // Out pixel (x, y) comes from stored pixel origin + x·stepX + y·stepY.
  const flipX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const origin = (flipX ? w - 1 : 0) + (flipY ? (h - 1) * w : 0);
  const alongX = flipX ? -1 : 1;
  const alongY = flipY ? -w : w;
  const stepX = swap ? alongY : alongX;
  const stepY = swap ? alongX : alongY;
  const out = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = (origin + y * stepY) * 3;
    for (let x = 0; x < width; x++, from += stepX * 3, to += 3) {
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, data: out };
}
