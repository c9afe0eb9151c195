import type { RgbImage } from './types.ts';

/** One 8-bit sample seen through `alpha` on white, rounded as Pillow's `paste` with a mask does. */
export function onWhite(sample: number, alpha: number): number {
  const sum = sample * alpha + 255 * (255 - alpha) + 128;
  return ((sum >> 8) + sum) >> 8;
}

/**
 * Composites non-premultiplied RGBA on a white canvas.
 * @param frame where the RGBA picture lies on the canvas; left out, it is the canvas
 */
export function compositeOnWhite(
  rgba: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  frame: { x: number; y: number; width: number; height: number } = { x: 0, y: 0, width, height },
): RgbImage {
  const data = new Uint8Array(width * height * 3);
  if (frame.width !== width || frame.height !== height) data.fill(255);
  let from = 0;
  for (let y = 0; y < frame.height; y++) {
    let to = ((frame.y + y) * width + frame.x) * 3;
    for (let x = 0; x < frame.width; x++, from += 4, to += 3) {
      const alpha = rgba[from + 3]!;
      if (alpha === 255) {
        data[to] = rgba[from]!;
        data[to + 1] = rgba[from + 1]!;
        data[to + 2] = rgba[from + 2]!;
      } else {
        data[to] = onWhite(rgba[from]!, alpha);
        data[to + 1] = onWhite(rgba[from + 1]!, alpha);
        data[to + 2] = onWhite(rgba[from + 2]!, alpha);
      }
    }
  }
  return { width, height, data };
}
