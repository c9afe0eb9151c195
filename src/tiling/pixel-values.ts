import type { RgbImage } from './types.ts';

/** Mean and standard deviation of each channel, red, green, blue, of values 0–1: what a model's tiles are normalised with. */
export interface Normalisation {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** ImageNet's, as InternViT was trained with. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** (value/255 − mean)/std for every sample value, each step rounded to f32 as PyTorch does it: [channel][value]. */
function tablesOf({ mean, std }: Normalisation): Float32Array[] {
  return mean.map((average, channel) =>
    Float32Array.from(
      { length: 256 },
      (_, value) => Math.fround(Math.fround(value / 255) - Math.fround(average)) / Math.fround(std[channel]!),
    ),
  );
}

/**
 * What the vision encoder reads: f32 [tiles, 3, S, S], channels red, green, blue, normalised, with ImageNet's figures bit for bit
 * as the reference computes it.
 * @param tiles square pictures of one size S, in sequence order
 */
export function toPixelValues(tiles: readonly RgbImage[], normalisation: Normalisation = IMAGENET): Float32Array {
  const side = tiles[0]?.width ?? 0;
  const plane = side * side;
  const values = new Float32Array(tiles.length * 3 * plane);
  const tables = tablesOf(normalisation);
  tiles.forEach((tile, index) => {
    if (tile.width !== side || tile.height !== side) throw new RangeError(`Tile ${index} is not ${side}×${side}.`);
    for (let channel = 0; channel < 3; channel++) {
      const table = tables[channel]!;
      const out = values.subarray((index * 3 + channel) * plane, (index * 3 + channel + 1) * plane);
      if (tile.exact) {
        const [mean, std] = [normalisation.mean[channel]!, normalisation.std[channel]!];
        for (let i = 0, from = channel; i < plane; i++, from += 3) out[i] = (tile.exact[from]! / 255 - mean) / std;
        continue;
      }
      for (let i = 0, from = channel; i < plane; i++, from += 3) out[i] = table[tile.data[from]!]!;
    }
  });
  return values;
}
