import type { RgbImage } from './types.ts';

/** ImageNet's, as InternViT was trained with. */
export const MEAN = [0.485, 0.456, 0.406] as const;
export const STD = [0.229, 0.224, 0.225] as const;

/** (value/255 − mean)/std for every sample value, each step rounded to f32 as PyTorch does it: [channel][value]. */
const NORMALISED = MEAN.map((mean, channel) =>
  Float32Array.from(
    { length: 256 },
    (_, value) => Math.fround(Math.fround(value / 255) - Math.fround(mean)) / Math.fround(STD[channel]!),
  ),
);

/**
 * What the vision encoder reads: f32 [tiles, 3, S, S], channels red, green, blue, ImageNet-normalised, bit for bit as
 * the reference computes it.
 * @param tiles square pictures of one size S, in sequence order
 */
export function toPixelValues(tiles: readonly RgbImage[]): Float32Array {
  const side = tiles[0]?.width ?? 0;
  const plane = side * side;
  const values = new Float32Array(tiles.length * 3 * plane);
  tiles.forEach((tile, index) => {
    if (tile.width !== side || tile.height !== side) throw new RangeError(`Tile ${index} is not ${side}×${side}.`);
    for (let channel = 0; channel < 3; channel++) {
      const table = NORMALISED[channel]!;
      const out = values.subarray((index * 3 + channel) * plane, (index * 3 + channel + 1) * plane);
      for (let i = 0, from = channel; i < plane; i++, from += 3) out[i] = table[tile.data[from]!]!;
    }
  });
  return values;
}
