import { NvlmError, throwIfAborted } from '../../errors.ts';
import { FAMILIES } from '../../nvlm/families/list.ts';
import { planImageBlock, planTokens } from '../../text/token-plan.ts';
import type { TokenPlan } from '../../text/types.ts';
import { decodeImage } from '../../tiling/decode.ts';
import type { TileRouting } from '../../text/image-layout.ts';
import { pictureNotice } from '../../tiling/picture-notice.ts';
import { tileImage } from '../../tiling/tile-image.ts';
import type { RgbImage, Tiling } from '../../tiling/types.ts';
import type { ArchitectureCost, ByArchitecture, CallOptions, InspectRequest, Inspection } from '../api.ts';
import { foreignWork } from '../foreign-work.ts';
import type { Geometry } from './geometries.ts';

/** The architectures that are compared on one picture. */
const COMPARED = FAMILIES.flatMap(({ letter, title, words, maskWords = '', routing }) =>
  letter ? [{ letter, title, words, maskWords, routing }] : [],
);
export const COMPARED_LETTERS: readonly string[] = COMPARED.map(({ letter }) => letter);

function byArchitecture<T>(make: (architecture: (typeof COMPARED)[number]) => T): ByArchitecture<T> {
  return Object.fromEntries(COMPARED.map((architecture) => [architecture.letter, make(architecture)])) as ByArchitecture<T>;
}

export type InspectOptions = Pick<InspectRequest, 'tileSize' | 'maxTiles' | 'tagFormat' | 'prompt'>;

/**
 * Cuts an encoded picture and lays out its tokens for every architecture that is compared, without a model's weights.
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
  return { ...inspectPicture(picture, geometry, options), notice: pictureNotice(bytes) };
}

/** {@link inspectImage} for a picture that is decoded already. */
export function inspectPicture(picture: RgbImage, geometry: Geometry, options: InspectOptions = {}): Omit<Inspection, 'notice'> {
  const tileSize = options.tileSize ?? geometry.tileSize;
  const maxTiles = options.maxTiles ?? geometry.maxTiles;
  const tagFormat = options.tagFormat ?? geometry.tagFormat;
  const perTile = tokensPerTile(tileSize, geometry);
  const tiling = tileImage(picture, { maxTiles, tileSize, useThumbnail: geometry.useThumbnail }, tagFormat, geometry.tiler);
  const prompt = options.prompt?.trim() ?? '';
  const plans = byArchitecture(({ routing }) => planFor(routing, geometry, tiling, perTile, prompt));
  // What is read is the same in all of them; where, is not.
  const { visualTokens, tagTokens } = plans.D.counts;
  return {
    tiling,
    tokens: { perTile, visual: visualTokens, tags: tagTokens },
    architectures: COMPARED.map(({ routing, ...rest }) => rest),
    plans,
    costs: byArchitecture(({ letter }) => costOf(plans[letter]!, geometry)),
    tokenTexts: textsOf(Object.values(plans), geometry),
    geometry: {
      model: geometry.id,
      title: geometry.title,
      architecture: COMPARED.find(({ routing }) => routing === geometry.layout.routing)?.letter ?? COMPARED[0]!.letter,
      tileSize,
      maxTiles,
      mostTiles: geometry.tiler.mostTiles,
      tileStep: geometry.tiler.tileStep,
      tagFormat,
    },
  };
}

/** After the pixel shuffle. */
function tokensPerTile(tileSize: number, { patchSize, shuffle }: Geometry): number {
  const step = shuffle * patchSize;
  if (tileSize % step !== 0) {
    throw new NvlmError(
      'usage',
      `The tile size cannot be ${tileSize} pixels.`,
      `Give a multiple of ${step}: ${shuffle === 2 ? 'two' : shuffle} patches of ${patchSize} pixels.`,
    );
  }
  return (tileSize / step) ** 2;
}

/** The whole prompt when there is one and the geometry can write it, else the picture's block alone. */
function planFor(routing: TileRouting, geometry: Geometry, tiling: Tiling, perTile: number, prompt: string): TokenPlan {
  const { tokenizer, imageTokenId, conversation } = geometry;
  const layout = { ...geometry.layout, routing };
  const block = { layout, tokenizer, pictures: [tiling.tiles], tokensPerTile: perTile, imageTokenId };
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
