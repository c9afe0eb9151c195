import type { Device } from '../../device/types.ts';
import { NvlmError } from '../../errors.ts';
import { tileMarks, tokensPerTile, type NvlmConfig } from '../../nvlm/config.ts';
import type { NvlmModel, Sample } from '../../nvlm/model.ts';
import { routeTiles } from '../../text/image-layout.ts';
import type { LoadedTensor, TensorData } from '../../weights/safetensors.ts';
import type { CallOptions } from '../api.ts';
import { encodeTiles } from '../chat/vision.ts';

/** Tensors that {@link forward} reads, by name; see docs/facts.md, forward. */
type Inputs = ReadonlyMap<string, LoadedTensor>;

const MOST_TILES = 64;

/**
 * One forward pass on given ids and pixels: what the reference implementations are compared with.
 *
 * @param inputs `input_ids` [T] i32; optionally `pixel_values` [tiles, 3, S, S] f32; for X and H `cross_mask` [T, cross-attended tiles]
 *   i32; for H `tag_ids` [regular tiles, longest tag] i32 padded with −1. Other tensors are ignored.
 * @returns `logits` [T, V] f32 and, with pixels, `image_features` [tiles, tokens, width] f32
 * @throws NvlmError `bad-data` for missing tensors and shapes that do not fit the model
 */
export async function forward(model: NvlmModel, device: Device, inputs: Inputs, { signal }: CallOptions = {}): Promise<TensorData[]> {
  const { config } = model;
  const inputIds = integers(inputs, 'input_ids', 1);
  if (!inputIds || inputIds.values.length === 0) throw bad('input_ids is missing or empty', 'Give the token ids as a 1-D i32 tensor.');
  checkIds(inputIds.values, config, model.imageTokenId);
  const pixels = inputs.get('pixel_values');
  const tiles = pixels ? checkPixels(pixels, config) : 0;
  const features = pixels ? await encodeTiles(model, floats(pixels), tiles, { signal }) : null;
  try {
    const plan = planOf(config, inputIds.values, tiles, inputs);
    const length = inputIds.values.length;
    const imageTokenId = model.imageTokenId ?? placeholderIn(plan.inputIds, plan.sequenceTiles.length * tokensPerTile(config));
    const logits = model.prefill([{ plan, features, imageTokenId }], null, 'all');
    const outputs: TensorData[] = [];
    try {
      outputs.push(f32Tensor('logits', [length, config.llm.vocabSize], await device.read(logits)));
    } finally {
      logits.dispose();
    }
    if (features) outputs.push(f32Tensor('image_features', features.shape, await device.read(features)));
    return outputs;
  } catch (error) {
    throw device.explain(error);
  } finally {
    features?.dispose();
  }
}

/** Original InternVL configs do not name their placeholder: it is the id that stands once for every visual token. */
function placeholderIn(inputIds: Int32Array, visualTokens: number): number | undefined {
  if (visualTokens === 0) return undefined;
  const counts = new Map<number, number>();
  for (const id of inputIds) counts.set(id, (counts.get(id) ?? 0) + 1);
  const candidates = [...counts].filter(([, count]) => count === visualTokens);
  if (candidates.length === 1) return candidates[0]![0];
  throw bad(
    `Neither config.json nor a tokenizer names the image placeholder, and ${candidates.length} ids stand ${visualTokens} times`,
    'Add image_token_id to config.json.',
  );
}

function planOf(config: NvlmConfig, inputIds: Int32Array, tiles: number, inputs: Inputs): Sample['plan'] {
  const { routing } = config.layout;
  const { sequenceTiles, crossTiles } = routeTiles(routing, [tileMarks(tiles, config)]);
  if (crossTiles.length === 0) {
    return { inputIds, sequenceTiles, crossTiles, crossMask: new Uint8Array(0), crossTagIds: [] };
  }
  const mask = integers(inputs, 'cross_mask', 2);
  if (!mask || mask.shape[0] !== inputIds.length || mask.shape[1] !== crossTiles.length) {
    throw bad(
      `cross_mask is ${mask ? `[${mask.shape.join(', ')}]` : 'missing'} where [${inputIds.length}, ${crossTiles.length}] is needed`,
      'Give one row a token and one column a cross-attended tile, 1 = this row sees that tile.',
    );
  }
  return {
    inputIds,
    sequenceTiles,
    crossTiles,
    crossMask: Uint8Array.from(mask.values, (value) => (value === 0 ? 0 : 1)),
    crossTagIds: routing.crossTags === 'keys' ? tagRows(inputs, crossTiles.length, config) : [],
  };
}

function tagRows(inputs: Inputs, tiles: number, config: NvlmConfig): Int32Array[] {
  const tags = integers(inputs, 'tag_ids', 2);
  if (!tags) return Array.from({ length: tiles }, () => new Int32Array(0));
  const [rows, width] = tags.shape as [number, number];
  if (rows !== tiles) throw bad(`tag_ids has ${rows} rows for ${tiles} regular tiles`, 'Give one row a regular tile, padded with −1.');
  return Array.from({ length: rows }, (_, row) => {
    const ids = tags.values.slice(row * width, (row + 1) * width).filter((id) => id >= 0);
    checkIds(ids, config);
    return ids;
  });
}

/** @param imageTokenId may lie beyond the vocabulary, which has no embedding for it */
function checkIds(ids: Int32Array, config: NvlmConfig, imageTokenId: number | null = null): void {
  const { vocabSize, maxPositions } = config.llm;
  if (ids.length > maxPositions)
    throw bad(`${ids.length} tokens are more than the model's ${maxPositions} positions`, 'Shorten the sequence.');
  const wrong = ids.find((id) => id < 0 || (id >= vocabSize && id !== imageTokenId));
  if (wrong !== undefined) throw bad(`Token id ${wrong} is outside the vocabulary of ${vocabSize}`, 'Use ids of this model’s tokenizer.');
}

function checkPixels(pixels: LoadedTensor, config: NvlmConfig): number {
  const [tiles = 0, channels, height, width] = pixels.shape;
  const size = config.tileSize;
  const fits = pixels.dtype === 'F32' && pixels.shape.length === 4 && channels === 3 && height === size && width === size;
  if (!config.vision) throw bad('This is a text model, pixel_values has nowhere to go', 'Leave pixel_values out.');
  if (!fits || tiles < 1 || tiles > MOST_TILES) {
    throw bad(
      `pixel_values is ${pixels.dtype} [${pixels.shape.join(', ')}] where F32 [1–${MOST_TILES}, 3, ${size}, ${size}] is needed`,
      'Normalise the tiles and stack them, thumbnail last.',
    );
  }
  const inSequence = config.layout.routing.inSequence(tileMarks(tiles, config)).length;
  if (tokensPerTile(config) * inSequence > config.llm.maxPositions) {
    throw bad(`${tiles} tiles need more positions than the model has`, 'Use fewer tiles.');
  }
  return tiles;
}

function integers(inputs: Inputs, name: string, rank: number): { values: Int32Array; shape: readonly number[] } | null {
  const tensor = inputs.get(name);
  if (!tensor) return null;
  if (tensor.shape.length !== rank) throw bad(`${name} has ${tensor.shape.length} dimensions instead of ${rank}`, 'Check its shape.');
  const bytes = tensor.bytes.slice();
  if (tensor.dtype === 'I32') return { values: new Int32Array(bytes.buffer), shape: tensor.shape };
  if (tensor.dtype === 'I64') {
    return { values: Int32Array.from(new BigInt64Array(bytes.buffer), Number), shape: tensor.shape };
  }
  throw bad(`${name} has element type ${tensor.dtype}`, 'Store it as I32.');
}

function floats(tensor: LoadedTensor): Float32Array {
  return new Float32Array(tensor.bytes.slice().buffer);
}

function f32Tensor(name: string, shape: readonly number[], values: Float32Array): TensorData {
  return { name, dtype: 'F32', shape: [...shape], data: values };
}

function bad(what: string, fix: string): NvlmError {
  return new NvlmError('bad-data', `${what}.`, fix);
}
