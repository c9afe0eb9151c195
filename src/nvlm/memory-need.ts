import type { ModelFolder } from '../weights/model-folder.ts';
import { areSidesHalves, isQuantizable, planWeights, type PlannedParameter } from './checkpoint-layout.ts';
import { hasCrossAttention, tokensPerTile, visionRows, type NvlmConfig } from './config.ts';
import { CAPACITY_STEP } from './kv-cache.ts';
import type { LoadWeightsOptions } from './load-weights.ts';
import { names, partOf } from './names.ts';

export interface WeightsNeed {
  /** Bytes on the device; what `Weights.bytes` will say. */
  bytes: number;
  /** The tensor that needs the largest single buffer. */
  largest: { name: string; bytes: number };
  /** The checkpoint holds quantised matrices itself. */
  quantized: boolean;
}

const F32 = 4;

/** How a device holds weights. */
export interface HeldWeights extends Pick<LoadWeightsOptions, 'keepHalves' | 'quantize' | 'largestTensor'> {
  /** Half-precision scales and biases of quantised matrices stay halves, as on WebGPU; elsewhere they are f32. */
  pairSides?: boolean;
}

/**
 * What the weights will take, from the headers alone. Assumes that bf16 values fit into f16, as those of all public
 * checkpoints do; a matrix where they do not, or its scales and biases, are held twice as large.
 * @throws NvlmError `bad-model` as `planWeights`
 */
export function weightsNeed(folder: Pick<ModelFolder, 'tensors'>, config: NvlmConfig, options: HeldWeights): WeightsNeed {
  const { parameters, dummyHeads } = planWeights(folder, config);
  const need: WeightsNeed = { bytes: 0, largest: { name: '', bytes: 0 }, quantized: parameters.some(({ affine }) => affine) };
  for (const parameter of parameters) {
    const { total, largest: whole } = parameterBytes(parameter, config, dummyHeads, options);
    const largest = isSplittable(parameter) ? Math.min(whole, options.largestTensor ?? Infinity) : whole;
    need.bytes += total;
    if (largest > need.largest.bytes) need.largest = { name: parameter.spec.name, bytes: largest };
    const isTied = config.llm.tieWordEmbeddings && parameter.spec.name === names.embedTokens(config);
    // Only the f32 form of a tied head needs a copy, its transpose.
    if (isTied && total === F32 * sizeOf(parameter.spec.shape)) need.bytes += total;
  }
  return need;
}

/** Can this parameter be held in parts, cut between its rows? Those that are put together from several tensors are never large. */
export function isSplittable({ spec, sources }: PlannedParameter): boolean {
  return spec.role !== 'vector' && sources.length === 1;
}

/** Bytes of one parameter on the device, and of its largest tensor, in one piece. */
export function parameterBytes(
  { spec, sources, affine }: PlannedParameter,
  config: NvlmConfig,
  dummyHeads: number,
  { keepHalves, quantize, pairSides = false }: HeldWeights,
): { total: number; largest: number } {
  const size = sizeOf(spec.shape);
  const one = (bytes: number) => ({ total: bytes, largest: bytes });
  const packed = (bits: number, groupSize: number, perSide = F32) => {
    const words = (size * bits) / 8;
    return { total: words + (2 * perSide * size) / groupSize, largest: words };
  };
  if (affine) {
    return keepHalves ? packed(affine.bits, affine.groupSize, pairSides && areSidesHalves(affine) ? F32 / 2 : F32) : one(size * F32);
  }
  if (quantize && sources.length === 1 && isQuantizable(spec, quantize.groupSize)) {
    return keepHalves ? packed(quantize.bits, quantize.groupSize) : one(size * F32);
  }
  const real = size * realShare(spec.name, config, dummyHeads);
  const [first] = sources;
  const isHalf = keepHalves && spec.role !== 'vector' && first!.dtype !== 'F32' && sources.every(({ dtype }) => dtype === first!.dtype);
  if (!isHalf) return one(real * F32);
  const rows = spec.shape[0] ?? 1;
  const columns = real / rows;
  return one(rows * Math.ceil(columns / 2) * F32);
}

/** What is left of a vision attention tensor when the heads of zeros behind the real ones have been cut off. */
function realShare(name: string, { vision }: NvlmConfig, dummyHeads: number): number {
  const isPadded = dummyHeads > 0 && /\.attn\.(qkv\.|q_norm\.|k_norm\.|proj\.weight$)/.test(name);
  return vision && isPadded && partOf(name) === 'vision_encoder' ? vision.heads / (vision.heads + dummyHeads) : 1;
}

export interface CacheNeed {
  /** Tokens of the sequence. */
  tokens: number;
  /** Image tokens (and in H their tags') that gated cross-attention reads; 0 in D. */
  crossKeys: number;
  /** Whether buffers are allocated ahead and written in place, as on WebGPU and wasm. */
  inPlace: boolean;
}

/** What `KvCache.bytes` will say of one sequence. */
export function kvCacheBytes(config: NvlmConfig, { tokens, crossKeys, inPlace }: CacheNeed): number {
  const { layers, kvHeads, headDim } = config.llm;
  const crossLayers = Array.from({ length: layers }, (_, layer) => hasCrossAttention(config, layer)).filter(Boolean).length;
  const capacity = inPlace ? Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP : tokens;
  return 2 * F32 * kvHeads * headDim * (layers * capacity + crossLayers * crossKeys);
}

export interface ActivationsNeed {
  /** Tokens of the longest prefill. */
  tokens: number;
  /** Tiles of a picture, thumbnail included; 0 for text. */
  tiles: number;
  /** Rows of the vision encoder that are computed at once, at most; one tile is never divided. */
  visionRowsAtOnce: number;
  /** Whether attention holds whole matrices of scores, as the reference ops do. */
  scores: boolean;
}

/**
 * The most that one layer holds besides weights and cache, of the vision encoder or the decoder, whichever is more: the values
 * that live until the layer ends, counted, and what the reference ops hold inside of themselves. Held to measurements by a test.
 */
export function activationBytes(config: NvlmConfig, need: ActivationsNeed): number {
  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize } = config.llm;
  const perToken = 6 * hiddenSize + 3 * (heads + kvHeads) * headDim + (need.scores ? 5 : 3) * intermediateSize;
  // The mask twice, and of one group of heads at a time its scores on their way to weights.
  const scores = need.scores ? (2 + (5 * heads) / kvHeads) * need.tokens ** 2 : 0;
  const decoder = need.tokens * perToken + vocabSize + scores;
  const { vision } = config;
  if (!vision || need.tiles === 0) return F32 * decoder;
  const rowsPerTile = visionRows(vision);
  const tilesAtOnce = Math.min(need.tiles, Math.max(1, Math.floor(need.visionRowsAtOnce / rowsPerTile)));
  const rows = tilesAtOnce * rowsPerTile;
  const perRow = 19 * vision.hiddenSize + (need.scores ? 6 : 3) * vision.intermediateSize + 3 * vision.patchSize ** 2;
  const encoder = rows * perRow + (need.scores ? 2 * rowsPerTile ** 2 : 0);
  const features = need.tiles * tokensPerTile(config) * hiddenSize;
  return F32 * (Math.max(encoder, decoder) + features);
}

/** A layer's backward pass at its peak, in parts of what its forward pass keeps; measured on the test models. */
const BACKWARD = 3.5;

export interface TrainingNeed extends ActivationsNeed {
  /** Of those tokens, how many go through the head. */
  labels: number;
  batch: number;
  /** Of packed questions, a sample's: keys copied to the blocks that see them, and blocks that cross-attend a picture of their own. */
  copied?: { keys: number; pictures: number };
  checkpointing: boolean;
  /** Features that low-rank updates are added to, of all linears of a layer, by the layer's index; 0 without any. */
  updatedFeatures: (layer: number) => number;
}

/**
 * An estimate of the most that a step holds besides weights, optimiser and encoded pictures: what the forward pass keeps
 * for the backward pass of every decoder layer, or, checkpointed, of one, and the head's logits; or else the vision
 * encoder, whichever is more.
 */
export function trainingActivationBytes(config: NvlmConfig, need: TrainingNeed): number {
  const { layers, hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize } = config.llm;
  const rows = need.batch * need.tokens;
  // Norm and its input, queries and output, keys and values; of the gated block norm and input, gate, up and their product.
  const keyWidth = 2 * kvHeads * headDim;
  const { keys: copiedKeys, pictures: copiedPictures } = need.copied ?? { keys: 0, pictures: 0 };
  // Queries and outputs of both parts are there apart and together.
  const parts = copiedKeys > 0 ? 2 * rows * heads * headDim : 0;
  const attention = rows * (2 * hiddenSize + 2 * (heads + kvHeads) * headDim) + need.batch * copiedKeys * keyWidth + parts;
  const crossed = need.batch * copiedPictures * need.tiles * tokensPerTile(config) * keyWidth + parts;
  const block = rows * (2 * hiddenSize + 3 * intermediateSize);
  const ofLayer = (layer: number) =>
    attention + block + (need.tiles > 0 && hasCrossAttention(config, layer) ? rows * (3 * hiddenSize + 3 * heads * headDim) + crossed : 0);
  // The reference ops' backward pass holds one group's scores of one sequence at a time, in several forms.
  const keys = Math.max(need.tokens, need.tiles * tokensPerTile(config));
  const scores = need.scores ? (2 + (11 * heads) / kvHeads) * need.tokens * keys : 0;
  const all = Array.from({ length: layers }, (_, layer) => ofLayer(layer));
  const largest = Math.max(...all);
  const updates = all.map((_, layer) => rows * need.updatedFeatures(layer));
  const kept = need.checkpointing
    ? layers * rows * hiddenSize + Math.max(...updates)
    : [...all, ...updates].reduce((sum, one) => sum + one, 0);
  const head = 3 * need.batch * need.labels * vocabSize;
  // The head is through before the layers' backward passes begin.
  const decoder = F32 * (kept + Math.max(head, BACKWARD * largest + scores));
  return Math.max(decoder, need.tiles > 0 ? activationBytes(config, need) : 0);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
