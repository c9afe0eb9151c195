import type { VisionNetwork } from '../families/family.ts';
import { encodeInternVit } from './intern-vit.ts';
import { connectMlp } from './mlp-connector.ts';

/** InternViT and a two-layer connector: D, H and InternVL. */
export const mlpNetwork: VisionNetwork = {
  encode: (pixels, tiles, config, weights) => encodeInternVit(pixels, tiles, config.vision!, weights),
  connect: connectMlp,
};
