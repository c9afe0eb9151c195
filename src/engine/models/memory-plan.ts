import { computesPacked } from '../../device/computes-packed.ts';
import type { DeviceInfo } from '../../device/types.ts';
import { tileMarks, tokensPerTile, type NvlmConfig } from '../../nvlm/config.ts';
import { activationBytes, kvCacheBytes, weightsNeed } from '../../nvlm/memory-need.ts';
import { configOf } from '../../nvlm/parse-config.ts';
import { routeTiles } from '../../text/image-layout.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import type { MemoryPlan, PlanSettings } from '../api.ts';
import { ROWS_AT_ONCE } from '../chat/vision.ts';
import { summaryOf } from './family-summary.ts';

/** Enough for a picture of twelve 448-pixel tiles and a talk about it. */
const DEFAULT_CONTEXT = 4096;
const LEAST_CONTEXT = 512;
/** Of a tile tag in H's cross-attention; spelt out it is five or so, beside the 256 tokens of a real tile. */
const TAG_TOKENS = 1;
/** A 32-bit wasm memory. */
const WASM_BYTES = 2 ** 32;
const GROUP_SIZE = 64;

/** What of a device the plan looks at. */
export type PlanDevice = Pick<DeviceInfo, 'backend' | 'features' | 'limits'>;

/**
 * What a model will need on a device, from its configuration and headers, against what the device allows.
 *
 * WebGPU does not say how much memory an adapter has, only how large one buffer may be, so there "fits" means that no
 * single buffer is too large; the sum is for the reader to compare.
 * @param freeQuota what the browser may still store; null where nothing is stored or nobody knows
 * @param storedBytes of this model
 * @throws NvlmError `bad-model`, `unsupported-model`
 */
export function planMemory(
  folder: Pick<ModelFolder, 'tensors' | 'config' | 'shards'> & Partial<Pick<ModelFolder, 'imageProcessor'>>,
  device: PlanDevice,
  wanted: Partial<PlanSettings> = {},
  freeQuota: number | null = null,
  storedBytes = 0,
): Omit<MemoryPlan, 'warnings'> {
  const config = configOf(folder);
  const longest = config.llm.maxPositions;
  const contextLength = Math.min(wanted.contextLength ?? DEFAULT_CONTEXT, longest);
  const settings: PlanSettings = { contextLength, ...(wanted.quantize && { quantize: wanted.quantize }) };
  const asked = needOf(folder, config, device, settings);
  const problems = problemsOf(asked, device);
  const better = problems.length > 0 ? settingsThatFit(folder, config, device, settings, asked.quantized) : null;
  const download = folder.shards.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    about: {
      family: summaryOf(config.family),
      parameters: [...folder.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      takesPictures: config.vision !== null,
      tileSize: config.tileSize,
      maxTiles: config.maxTiles,
      longestContext: longest,
      quantized: asked.quantized,
    },
    backend: device.backend,
    settings,
    bytes: asked.bytes,
    largestBuffer: asked.largestBuffer,
    download,
    freeQuota,
    canBeStored: freeQuota === null ? null : download - storedBytes <= freeQuota,
    verdict: problems.length === 0 ? 'fits' : better ? 'fits-if' : 'does-not-fit',
    problems,
    settingsThatFit: better,
  };
}

type Need = Pick<MemoryPlan, 'bytes' | 'largestBuffer'> & { quantized: boolean };

function needOf(
  folder: Pick<ModelFolder, 'tensors'>,
  config: NvlmConfig,
  device: PlanDevice,
  { contextLength, quantize }: PlanSettings,
): Need {
  const { backend } = device;
  const packed = computesPacked(device);
  const weights = weightsNeed(folder, config, {
    keepHalves: packed,
    pairSides: backend === 'webgpu',
    quantize,
    largestTensor: largestTensorOf(device),
  });
  const tiles = config.vision ? config.maxTiles + (config.useThumbnail && config.maxTiles > 1 ? 1 : 0) : 0;
  const kvCache = kvCacheBytes(config, { tokens: contextLength, crossKeys: crossKeysOf(config, tiles), inPlace: backend !== 'cpu' });
  const activations = activationBytes(config, {
    tokens: contextLength,
    tiles,
    visionRowsAtOnce: ROWS_AT_ONCE,
    scores: !packed,
  });
  const keys =
    kvCacheBytes({ ...config, llm: { ...config.llm, layers: 1 } }, { tokens: contextLength, crossKeys: 0, inPlace: backend !== 'cpu' }) / 2;
  const largestBuffer = keys > weights.largest.bytes ? { name: 'the keys of one layer', bytes: keys } : weights.largest;
  const bytes = { weights: weights.bytes, kvCache, activations, total: weights.bytes + kvCache + activations };
  return { bytes, largestBuffer, quantized: weights.quantized };
}

/** Keys of the largest picture. */
function crossKeysOf(config: NvlmConfig, tiles: number): number {
  const { routing } = config.layout;
  const { crossTiles } = routeTiles(routing, [tileMarks(tiles, config)]);
  return crossTiles.length * (tokensPerTile(config) + (routing.crossTags === 'keys' ? TAG_TOKENS : 0));
}

/** Larger matrices are held in parts. */
function largestTensorOf({ backend, limits }: Pick<PlanDevice, 'backend' | 'limits'>): number {
  if (backend !== 'webgpu') return Infinity;
  return Math.min(limits['maxBufferSize'] ?? Infinity, limits['maxStorageBufferBindingSize'] ?? Infinity);
}

function problemsOf({ bytes, largestBuffer }: Need, { backend, limits }: PlanDevice): string[] {
  if (backend === 'wasm' && bytes.total > WASM_BYTES) {
    return [`It needs ${gigabytes(bytes.total)} and wasm can address ${gigabytes(WASM_BYTES)}.`];
  }
  const most = largestTensorOf({ backend, limits });
  if (largestBuffer.bytes > most) {
    const { name, bytes: needed } = largestBuffer;
    return [`${name} needs a buffer of ${gigabytes(needed)} and this GPU adapter allows ${gigabytes(most)}.`];
  }
  return [];
}

/** The mildest change that fits: packing before a shorter context, eight bits before four. */
function settingsThatFit(
  folder: Pick<ModelFolder, 'tensors'>,
  config: NvlmConfig,
  device: PlanDevice,
  asked: PlanSettings,
  quantized: boolean,
): PlanSettings | null {
  const layouts: PlanSettings['quantize'][] = [asked.quantize];
  // Elsewhere packed matrices are unpacked again.
  if (computesPacked(device) && !quantized) {
    for (const bits of [8, 4] as const) if (bits < (asked.quantize?.bits ?? 32)) layouts.push({ bits, groupSize: GROUP_SIZE });
  }
  for (let contextLength = asked.contextLength; contextLength >= LEAST_CONTEXT; contextLength = Math.floor(contextLength / 2)) {
    for (const quantize of layouts) {
      const settings = { contextLength, ...(quantize && { quantize }) };
      if (problemsOf(needOf(folder, config, device, settings), device).length === 0) return settings;
    }
  }
  return null;
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}
