import { computesPacked } from '../../device/computes-packed.ts';
import type { Device } from '../../device/types.ts';
import { planWeights } from '../../nvlm/checkpoint-layout.ts';
import { tileMarks, tokensPerTile, type NvlmConfig } from '../../nvlm/config.ts';
import { refuseQuantized } from '../../nvlm/load-weights.ts';
import { DECODER_TARGETS } from '../../nvlm/lora-targets.ts';
import { names, parameterSpecs, partOf } from '../../nvlm/names.ts';
import { trainingActivationBytes, weightsNeed } from '../../nvlm/memory-need.ts';
import { fitsTarget, type AdapterModule } from '../../nvlm/adapters/adapter-modules.ts';
import { parseAdapter } from '../../nvlm/adapters/peft.ts';
import { optimizerRules } from '../../training/optimizers/optimizers.ts';
import { parseRun, type LoraConfig, type RunConfig } from '../../training/run-config.ts';
import { packsOf } from '../../training/packs.ts';
import { moduleOf, selectTrained } from '../../training/trained-tensors.ts';
import { openModelFolder, type ModelFolder } from '../../weights/model-folder.ts';
import type { AdapterFiles } from '../adapters/adapter.ts';
import type { CallOptions } from '../api.ts';
import { linearSizes } from '../export/export-model.ts';
import { sharedOf, type TrainingExample } from './plan-examples.ts';
import type { EnginePlatform } from '../platform.ts';
import { openRunData } from './run-data.ts';
import { runFileOf } from './run-exchange.ts';
import { readPools, type PoolOptions, type RunData } from './run-pools.ts';
import { openTextSide } from '../chat/text-side.ts';
import { MOST_FEATURE_BYTES } from './train-data.ts';
import { withTileTags } from './tile-tags.ts';
import type { RunFile, RunRequest, TrainingPlan } from './training-api.ts';
import { ROWS_AT_ONCE } from '../chat/vision.ts';

const F32 = 4;
/** A 32-bit wasm memory. */
const WASM_BYTES = 2 ** 32;
/** What a run is proposed with in place of one that trains the whole decoder. */
const LORA = { rank: 8, alpha: 16 };
const GROUP_SIZE = 64;

/** What of a device the plan looks at. */
export type PlanDevice = Pick<Device['info'], 'backend' | 'features' | 'limits'>;

/** The most that one record has of anything, and how many pictures all have. */
export interface DataExtent {
  tokens: number;
  tiles: number;
  /** Labelled ones, which go through the head. */
  labels: number;
  /** Different ones. */
  pictures: number;
  /** Of packed records, keys and values that are copied to where blocks see them; 0 = none. */
  copiedKeys?: number;
  /** Of packed records, blocks that read a picture by cross-attention besides its prefix. */
  blocks?: number;
}

interface PlanHost {
  platform: EnginePlatform;
  device: Pick<Device, 'info'>;
  /** The adapter that a run begins with. */
  openInit(id: string): Promise<AdapterFiles>;
}

/** {@link planOnData} of a run of this browser. */
export async function planRun(
  request: RunRequest,
  { platform, device, openInit }: PlanHost,
  { signal }: CallOptions = {},
): Promise<TrainingPlan> {
  const run = parseRun(runFileOf(request), 'The run');
  const files = await platform.openFiles(request.model, { signal });
  try {
    const folder = withTileTags(await openModelFolder(files, signal), run);
    const data = await openRunData(await platform.files(), run);
    const init = run.lora?.init ? await openInit(run.lora.init) : null;
    return await planOnData({ ...data, folder, run, init, device: device.info }, { signal });
  } finally {
    await files.close();
  }
}

/** Reads configuration, headers and the data's lengths; no weights. @throws NvlmError as a run does before its first step */
export async function planOnData(
  request: RunData & { folder: ModelFolder; run: RunConfig; init: AdapterFiles | null; device: PlanDevice },
  options: PoolOptions = {},
): Promise<TrainingPlan> {
  const { folder, run, init, device } = request;
  const { examples, measured } = await readPools({ ...request, text: openTextSide(folder) }, options);
  const seen = run.heldOutEvery > 0 ? [...examples, ...measured] : examples;
  const begunWith = init && parseAdapter(init.config, init.tensors, linearSizes(folder));
  const extent = run.pack ? longestPack(seen) : longestOf(seen);
  return { ...planTraining(folder, run, extent, device, begunWith), warnings: folder.warnings };
}

export function longestOf(examples: readonly TrainingExample[]): DataExtent {
  const pictures = new Set(examples.flatMap(({ image }) => (image === null ? [] : [image])));
  const longest = { tokens: 0, tiles: 0, labels: 0, pictures: pictures.size };
  for (const { plan } of examples) {
    longest.tokens = Math.max(longest.tokens, plan.inputIds.length);
    longest.tiles = Math.max(longest.tiles, plan.sequenceTiles.length + plan.crossTiles.length);
    longest.labels = Math.max(longest.labels, plan.labels.filter((label) => label >= 0).length);
  }
  return longest;
}

/** The same of packed records: a batch pads every prefix and every block to the longest. */
export function longestPack(examples: readonly TrainingExample[]): DataExtent {
  const longest = longestOf(examples);
  const most = { prefix: 0, block: 0, blocks: 0, labels: 0 };
  for (const indices of packsOf(examples.map(({ image }) => image))) {
    const pack = indices.map((index) => examples[index]!);
    const { prefixLength, blockLength, blocks } = sharedOf(pack);
    most.prefix = Math.max(most.prefix, prefixLength);
    most.block = Math.max(most.block, blockLength);
    most.blocks = Math.max(most.blocks, blocks.length);
    most.labels = Math.max(
      most.labels,
      pack.reduce((sum, { plan }) => sum + plan.labels.filter((label) => label >= 0).length, 0),
    );
  }
  return {
    ...longest,
    tokens: most.prefix + most.blocks * most.block,
    labels: most.labels,
    copiedKeys: most.blocks * (most.prefix + most.block),
    blocks: most.blocks,
  };
}

/**
 * What a run takes at its peak, from headers and lengths, against what the device allows, and the mildest changes to the
 * run file with which it fits. WebGPU does not say how much memory there is: there, only single buffers are held to
 * limits.
 *
 * @param begunWith the adapter that a LoRA run starts from; null = a fresh one
 * @throws NvlmError `usage` for quantising what is quantised
 */
export function planTraining(
  folder: Omit<ModelFolder, 'shards' | 'tensorBytes'>,
  run: RunConfig,
  longest: DataExtent,
  device: PlanDevice,
  begunWith: readonly AdapterModule[] | null = null,
): Omit<TrainingPlan, 'warnings'> {
  const { config } = openTextSide(folder);
  if (run.quantize) refuseQuantized(planWeights(folder, config).parameters);
  const need = (changed: RunConfig) => needOf(folder, config, changed, longest, device, begunWith);
  const asked = need(run);
  const problems = problemsOf(asked, device);
  const { largestBuffer, quantized, ...plan } = asked;
  const packs = computesPacked(device) && !quantized;
  const changes = problems.length > 0 ? mildestChanges(run, longest, packs, (changed) => problemsOf(need(changed), device)) : null;
  return {
    ...plan,
    longest: longest.tokens,
    verdict: problems.length === 0 ? 'fits' : changes ? 'fits-if' : 'does-not-fit',
    problems,
    notes: notesOf(run, quantized, device),
    changes,
  };
}

/** What is worth knowing before the start and stands in no figure. */
function notesOf({ quantize }: RunConfig, quantized: boolean, device: PlanDevice): string[] {
  if (computesPacked(device) || !(quantize || quantized)) return [];
  const packed = quantize ? `The base is rounded to ${quantize.bits} bits` : 'The base is quantised';
  return [
    `${packed}, and ${device.backend} computes with its values as 32-bit floats: ` +
      'the adapter learns on the same base as on WebGPU, and no memory is saved here.',
  ];
}

type Need = Pick<TrainingPlan, 'weights' | 'optimizer' | 'activations' | 'total' | 'trainedParameters'> & {
  largestBuffer: number;
  /** The checkpoint itself. */
  quantized: boolean;
};

function needOf(
  folder: Pick<ModelFolder, 'tensors'>,
  config: NvlmConfig,
  run: RunConfig,
  { tokens, tiles, labels, pictures, copiedKeys = 0, blocks = 0 }: DataExtent,
  device: PlanDevice,
  begunWith: readonly AdapterModule[] | null,
): Need {
  const packed = computesPacked(device);
  const base = weightsNeed(folder, config, {
    keepHalves: packed,
    pairSides: device.backend === 'webgpu',
    quantize: run.quantize ?? undefined,
  });
  const updates = run.lora ? (begunWith?.map(sizesOf) ?? freshUpdates(config, run.lora)) : [];
  const tensors = run.lora
    ? updates.flatMap(({ module, rank, inFeatures, outFeatures }) => [
        { module, shape: [rank, inFeatures] },
        { module, shape: [outFeatures, rank] },
      ])
    : selectTrained(config, run).map(({ name, shape }) => ({ module: moduleOf(name), shape }));
  const { trained, state, scratch } = optimizerNeed(run, tensors);
  // Packed halves become floats when they are trained; an adapter is there beside what it changes.
  const weights = base.bytes + (run.lora ? F32 * trained : packed ? 2 * trained : 0);
  const most = run.maxTiles === null ? config.maxTiles : Math.min(config.maxTiles, run.maxTiles);
  const seen = Math.min(tiles, most + (config.useThumbnail && most > 1 ? 1 : 0));
  // Beyond what the longest record has with fewer tiles.
  const inSequence = (count: number) => config.layout.routing.inSequence(tileMarks(count, config)).length;
  const cut = (inSequence(tiles) - inSequence(seen)) * tokensPerTile(config);
  const perPicture = F32 * seen * tokensPerTile(config) * config.llm.hiddenSize;
  const features = Math.max(run.batch * perPicture, Math.min(MOST_FEATURE_BYTES, pictures * perPicture));
  const kept = trainingActivationBytes(config, {
    tokens: tokens - cut,
    tiles: seen,
    labels,
    batch: run.batch,
    copied: { keys: copiedKeys, pictures: blocks },
    checkpointing: run.activationCheckpointing,
    updatedFeatures: (layer) =>
      updates
        .filter(({ module }) => module.startsWith(`${names.decoderLayer(config, layer)}.`))
        .reduce((sum, { outFeatures }) => sum + outFeatures, 0),
    scores: !packed,
    visionRowsAtOnce: ROWS_AT_ONCE,
  });
  // The backward pass lets activations go as gradients come, so the two are never there in full together; the update comes last.
  const activations = features + Math.max(kept, F32 * (trained + scratch));
  // The optimiser's state, and while batches are added up the gradient of those before.
  const optimizer = F32 * ((run.accumulate > 1 ? trained : 0) + state);
  const largestBuffer = Math.max(base.largest.bytes, F32 * run.batch * labels * config.llm.vocabSize);
  const total = weights + optimizer + activations;
  return { weights, optimizer, activations, total, trainedParameters: trained, largestBuffer, quantized: base.quantized };
}

/** In numbers: what is trained, the state beside it, and the most that one update holds. */
function optimizerNeed(run: RunConfig, tensors: readonly { module: string; shape: readonly number[] }[]) {
  const rules = optimizerRules(run.optimizer, tensors);
  const need = { trained: 0, state: 0, scratch: 0 };
  for (const [i, tensor] of tensors.entries()) {
    const { rule } = rules[i]!;
    const size = tensor.shape.reduce((a, b) => a * b, 1);
    need.trained += size;
    need.state += size * rule.state.length;
    need.scratch = Math.max(need.scratch, rule.scratch(tensor.shape));
  }
  return need;
}

interface UpdateSizes {
  module: string;
  rank: number;
  inFeatures: number;
  outFeatures: number;
}

function sizesOf({ module, rank, a, b }: AdapterModule): UpdateSizes {
  return { module, rank, inFeatures: a.length / rank, outFeatures: b.length / rank };
}

function freshUpdates(config: NvlmConfig, { rank, targets }: Pick<LoraConfig, 'rank' | 'targets'>): UpdateSizes[] {
  return parameterSpecs(config)
    .filter(({ name, role }) => role === 'linear' && partOf(name) !== 'vision_encoder')
    .map(({ name, shape }) => ({
      module: name.replace(/\.weight$/, ''),
      rank,
      inFeatures: shape[1]!,
      outFeatures: shape[0]!,
    }))
    .filter(({ module }) => targets.some((target) => fitsTarget(module, target)));
}

function problemsOf({ total, largestBuffer }: Need, { backend, limits }: PlanDevice): string[] {
  if (backend === 'wasm' && total > WASM_BYTES) return [`It needs ${gigabytes(total)} and wasm can address ${gigabytes(WASM_BYTES)}.`];
  const most = Math.min(limits['maxBufferSize'] ?? Infinity, limits['maxStorageBufferBindingSize'] ?? Infinity);
  if (backend === 'webgpu' && largestBuffer > most)
    return [`One of its buffers needs ${gigabytes(largestBuffer)} and this GPU adapter allows ${gigabytes(most)}.`];
  return [];
}

type Change = [patch: Partial<RunConfig>, keys: Record<string, unknown>];

/**
 * The first that helps of: less at a time; for an adapter, the same on a packed base; for the whole decoder, an adapter
 * in its place, packed or not.
 */
function mildestChanges(
  run: RunConfig,
  { tiles }: DataExtent,
  packs: boolean,
  problems: (changed: RunConfig) => string[],
): Partial<RunFile> | null {
  const packed = ([8, 4] as const)
    .filter((bits) => packs && bits < (run.quantize?.bits ?? 32))
    .map((bits): Change => [{ quantize: { bits, groupSize: GROUP_SIZE } }, { quantize: { bits, group_size: GROUP_SIZE } }]);
  const kinds: Change[] = [[{}, {}]];
  if (run.lora) kinds.push(...packed);
  else {
    const lora = { ...LORA, dropout: 0, targets: [...DECODER_TARGETS], init: null };
    const adapter: Change = [
      { lora, trainable: null },
      { lora: LORA, trainable: null },
    ];
    kinds.push(
      adapter,
      ...packed.map(
        (pack): Change => [
          { ...adapter[0], ...pack[0] },
          { ...adapter[1], ...pack[1] },
        ],
      ),
    );
  }
  for (const [patch, keys] of kinds) {
    const found = lessAtATime({ ...run, ...patch }, tiles, problems);
    if (found) return { ...keys, ...found };
  }
  return null;
}

/** One after the other, each on top of those before it, until nothing is in the way; {} = nothing is already. */
function lessAtATime(run: RunConfig, tiles: number, problems: (changed: RunConfig) => string[]): Partial<RunFile> | null {
  let changed = run;
  const changes: Record<string, unknown> = {};
  const attempt = (patch: Partial<RunConfig>, keys: Record<string, unknown>): boolean => {
    changed = { ...changed, ...patch };
    Object.assign(changes, keys);
    return problems(changed).length === 0;
  };
  if (attempt({}, {})) return changes;
  if (!changed.activationCheckpointing && attempt({ activationCheckpointing: true }, { activation_checkpointing: true })) return changes;
  while (changed.batch > 1 && changed.batch % 2 === 0) {
    const [batch, accumulate] = [changed.batch / 2, changed.accumulate * 2];
    if (attempt({ batch, accumulate }, { batch, accumulate })) return changes;
  }
  for (let maxTiles = Math.floor((changed.maxTiles ?? tiles) / 2); maxTiles >= 1; maxTiles = Math.floor(maxTiles / 2)) {
    if (attempt({ maxTiles }, { max_tiles: maxTiles })) return changes;
  }
  return null;
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}
