import { NvlmError, throwIfAborted } from '../../errors.ts';
import { planImageBlock, planTokens } from '../../text/token-plan.ts';
import type { Architecture, TokenPlan } from '../../text/types.ts';
import { decodeImage } from '../../tiling/decode.ts';
import { tileImage } from '../../tiling/tile-image.ts';
import type { RgbImage, Tiling } from '../../tiling/types.ts';
import type { ArchitectureCost, CallOptions, InspectRequest, Inspection } from '../api.ts';
import { foreignWork } from '../foreign-work.ts';
import type { Geometry } from './geometries.ts';

export type InspectOptions = Pick<InspectRequest, 'tileSize' | 'maxTiles' | 'tagFormat' | 'prompt'>;

/**
 * Cuts an encoded picture and lays out its tokens for all three architectures, without a model's weights.
 *
 * @param bytes PNG, JPEG or WebP file
 * @throws NvlmError `bad-image`, `image-too-large`, `usage` (options out of range), `bad-model`, `cancelled`
 */
export async function inspectImage(
  bytes: Uint8Array,
  geometry: Geometry,
  options: InspectOptions = {},
  { signal }: CallOptions = {},
): Promise<Inspection> {
  const picture = await decodeImage(bytes);
  throwIfAborted(signal);
  return inspectPicture(picture, geometry, options);
}

/** {@link inspectImage} for a picture that is decoded already. */
export function inspectPicture(picture: RgbImage, geometry: Geometry, options: InspectOptions = {}): Inspection {
  const tileSize = options.tileSize ?? geometry.tileSize;
  const maxTiles = options.maxTiles ?? geometry.maxTiles;
  const tagFormat = options.tagFormat ?? geometry.tagFormat;
  const perTile = tokensPerTile(tileSize, geometry.patchSize);
  const tiling = tileImage(picture, { maxTiles, tileSize, useThumbnail: geometry.useThumbnail }, tagFormat);
  const prompt = options.prompt?.trim() ?? '';
  const plan = (architecture: Architecture) => planFor(architecture, geometry, tiling, perTile, prompt);
  const plans = { D: plan('NVLM_D'), X: plan('NVLM_X'), H: plan('NVLM_H') };
  return {
    tiling,
    tokens: { perTile, visual: plans.D.counts.visualTokens, tags: plans.D.counts.tagTokens },
    plans,
    costs: { D: costOf(plans.D, geometry), X: costOf(plans.X, geometry), H: costOf(plans.H, geometry) },
    tokenTexts: textsOf(Object.values(plans), geometry),
    geometry: { model: geometry.id, title: geometry.title, tileSize, maxTiles, tagFormat },
  };
}

/** After the 2 × 2 pixel shuffle. */
function tokensPerTile(tileSize: number, patchSize: number): number {
  if (tileSize % (2 * patchSize) !== 0) {
    const step = 2 * patchSize;
    throw new NvlmError(
      'usage',
      `The tile size cannot be ${tileSize} pixels.`,
      `Give a multiple of ${step}: two patches of ${patchSize} pixels.`,
    );
  }
  return (tileSize / patchSize / 2) ** 2;
}

/** The whole prompt when there is one and the geometry can write it, else the image from `<Image>` to `</Image>`. */
function planFor(
  architecture: Architecture,
  geometry: Geometry,
  tiling: Tiling,
  perTile: number,
  prompt: string,
): TokenPlan {
  const { tokenizer, imageTokenId, wrapper, joinTags, conversation } = geometry;
  const tags = tiling.tiles.map((tile) => tile.tag);
  const block = { architecture, tokenizer, tags, tokensPerTile: perTile, imageTokenId, wrapper, joinTags };
  if (!conversation || !prompt) return planImageBlock(block);
  const messages = [{ role: 'user' as const, content: `<image>\n${prompt}` }];
  return foreignWork('the model’s chat template', 5, () => planTokens({ ...block, ...conversation, messages, addGenerationPrompt: true }));
}

/** f16 */
const BYTES_PER_VALUE = 2;

/**
 * What a plan costs in a decoder of this shape. `kvBytes` counts keys and values, two bytes (f16) an element:
 * self-attention's for every position of the sequence in every layer, and cross-attention's for every image key in
 * every cross-attention layer:
 * `2 · 2 · kvHeads · headDim · (decoderTokens · layers + crossAttentionTokens · crossAttentionLayers)`.
 */
export function costOf(
  { counts: { decoderTokens, crossAttentionTokens } }: Pick<TokenPlan, 'counts'>,
  shape: Pick<Geometry, 'layers' | 'kvHeads' | 'headDim' | 'crossAttentionLayers'>,
): ArchitectureCost {
  const keyAndValue = 2 * shape.kvHeads * shape.headDim * BYTES_PER_VALUE;
  const kvBytes = keyAndValue * (decoderTokens * shape.layers + crossAttentionTokens * shape.crossAttentionLayers);
  return { decoderTokens, crossAttentionTokens, kvBytes };
}

function textsOf(plans: TokenPlan[], { tokenizer }: Geometry): Record<number, string> {
  const ids = new Set(plans.flatMap((plan) => [plan.inputIds, ...plan.crossTagIds].flatMap((part) => [...part])));
  return Object.fromEntries([...ids].map((id) => [id, tokenizer.tokenText(id)]));
}
