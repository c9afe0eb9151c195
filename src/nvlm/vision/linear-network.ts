import type { VisionNetwork } from '../families/family.ts';
import { encodeInternVit } from './intern-vit.ts';
import { connectLinear } from './mlp-connector.ts';

/** InternViT and a connector of one linear: X. */
export const linearNetwork: VisionNetwork = {
  encode: (pixels, tiles, config, weights) => encodeInternVit(pixels, tiles, config.vision!, weights),
  connect: connectLinear,
};
