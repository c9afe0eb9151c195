import { parseRecords } from '../datasets/llava.ts';
import type { Device } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import { tokensPerTile, type NvlmConfig } from '../nvlm/config.ts';
import { parameterSpecs } from '../nvlm/names.ts';
import { trainingActivationBytes, weightsNeed } from '../nvlm/memory-need.ts';
import { parseRun, type RunConfig } from '../training/run-config.ts';
import { selectTrained } from '../training/trained-tensors.ts';
import { openModelFolder, type ModelFolder } from '../weights/model-folder.ts';
import type { CallOptions } from './api.ts';
import { planExamples, type TrainingExample } from './plan-examples.ts';
import type { EnginePlatform } from './platform.ts';
import { openRunData } from './run-data.ts';
import { runFileOf } from './run-exchange.ts';
import { openTextSide } from './text-side.ts';
import { MOST_FEATURE_BYTES } from './train-data.ts';
import type { RunFile, RunRequest, TrainingPlan } from './training-api.ts';
import { ROWS_AT_ONCE } from './vision.ts';

const F32 = 4;
/** A 32-bit wasm memory. */
const WASM_BYTES = 2 ** 32;
/** What a LoRA run is proposed with. */
const LORA = { rank: 8, alpha: 16 };
const LORA_TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** What of a device the plan looks at. */
export type PlanDevice = Pick<Device['info'], 'backend' | 'limits'>;

/** The longest record, and how many of its positions belong to a tile. */
export interface LongestRecord {
  tokens: number;
  tiles: number;
  /** Labelled ones, which go through the head. */
  labels: number;
}

/** Reads configuration, headers and the data's lengths; no weights. @throws NvlmError as a run does before its first step */
export async function planRun(
  request: RunRequest,
  { platform, device }: { platform: EnginePlatform; device: Pick<Device, 'info'> },
  { signal }: CallOptions = {},
): Promise<TrainingPlan> {
  const run = parseRun(runFileOf(request), 'The run');
  const files = await platform.openFiles(request.model, { signal });
  try {
    const folder = await openModelFolder(files, signal);
    const { data, readImage } = await openRunData(await platform.files(), run);
    const records = parseRecords(data).records.filter(({ heldOut }) => !heldOut);
    const { maxTiles } = run;
    const { examples } = await planExamples(openTextSide(folder), records, readImage, { signal, maxTiles });
    if (examples.length === 0)
      throw new NvlmError('bad-data', 'There is no record to learn from.', 'Add pictures with questions and answers.');
    return planTraining(folder, run, longestOf(examples), examples.length, device.info);
  } finally {
    await files.close();
  }
}

export function longestOf(examples: readonly TrainingExample[]): LongestRecord {
  const longest = { tokens: 0, tiles: 0, labels: 0 };
  for (const { plan } of examples) {
    longest.tokens = Math.max(longest.tokens, plan.inputIds.length);
    longest.tiles = Math.max(longest.tiles, plan.sequenceTiles.length + plan.crossTiles.length);
    longest.labels = Math.max(longest.labels, plan.labels.filter((label) => label >= 0).length);
  }
  return longest;
}

/**
 * What a run takes at its peak, from headers and lengths, against what the device allows, and the mildest changes to the
 * run file with which it fits. WebGPU does not say how much memory there is: there, only single buffers are held to
 * limits.
 *
 * @param pictures at most so many are kept encoded
 */
export function planTraining(
  folder: Pick<ModelFolder, 'tensors' | 'config' | 'tokenizer' | 'tokenizerConfig' | 'files' | 'generationConfig'>,
  run: RunConfig,
  longest: LongestRecord,
  pictures: number,
  device: PlanDevice,
): TrainingPlan {
  const { config } = openTextSide(folder);
  const need = (changed: RunConfig) => needOf(folder, config, changed, longest, pictures, device);
  const asked = need(run);
  const problems = problemsOf(asked, device);
  const changes = problems.length > 0 ? mildestChanges(run, longest, (changed) => problemsOf(need(changed), device)) : null;
  const { largestBuffer, ...plan } = asked;
  return {
    ...plan,
    longest: longest.tokens,
    verdict: problems.length === 0 ? 'fits' : changes ? 'fits-if' : 'does-not-fit',
    problems,
    changes,
  };
}

type Need = Pick<TrainingPlan, 'weights' | 'optimizer' | 'activations' | 'total' | 'trainedParameters'> & {
  largestBuffer: number;
};

function needOf(
  folder: Pick<ModelFolder, 'tensors'>,
  config: NvlmConfig,
  run: RunConfig,
  { tokens, tiles, labels }: LongestRecord,
  pictures: number,
  { backend }: PlanDevice,
): Need {
  const isGpu = backend === 'webgpu';
  const base = weightsNeed(folder, config, { keepHalves: isGpu });
  const trained = run.lora ? loraParameters(config, run.lora) : fullParameters(config, run);
  // Packed halves become floats when they are trained; an adapter is there beside what it changes.
  const weights = base.bytes + (run.lora ? F32 * trained : isGpu ? 2 * trained : 0);
  const most = run.maxTiles === null ? config.maxTiles : Math.min(config.maxTiles, run.maxTiles);
  const seen = Math.min(tiles, most + (config.useThumbnail && most > 1 ? 1 : 0));
  // Beyond what the longest record has with fewer tiles.
  const cut = config.architecture === 'NVLM_D' ? (tiles - seen) * tokensPerTile(config) : 0;
  const perPicture = F32 * seen * tokensPerTile(config) * config.llm.hiddenSize;
  const features = Math.max(run.batch * perPicture, Math.min(MOST_FEATURE_BYTES, pictures * perPicture));
  const activations =
    features +
    trainingActivationBytes(config, {
      tokens: tokens - cut,
      tiles: seen,
      labels,
      batch: run.batch,
      checkpointing: run.activationCheckpointing,
      scores: !isGpu,
      visionRowsAtOnce: ROWS_AT_ONCE,
    });
  // Gradient and two moments of AdamW; a gradient more while batches are added up.
  const optimizer = F32 * trained * (run.accumulate > 1 ? 4 : 3);
  const largestBuffer = Math.max(base.largest.bytes, F32 * run.batch * labels * config.llm.vocabSize);
  return { weights, optimizer, activations, total: weights + optimizer + activations, trainedParameters: trained, largestBuffer };
}

function fullParameters(config: NvlmConfig, run: RunConfig): number {
  return selectTrained(config, run).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

function loraParameters(config: NvlmConfig, { rank, targets }: { rank: number; targets: readonly string[] }): number {
  const linears = parameterSpecs(config).filter(({ name, role }) => role === 'linear' && !name.startsWith('vision_model.'));
  return linears
    .map(({ name, shape }) => ({ module: name.replace(/\.weight$/, ''), sides: shape[0]! + shape[1]! }))
    .filter(({ module }) => targets.some((target) => module === target || module.endsWith(`.${target}`)))
    .reduce((sum, { sides }) => sum + rank * sides, 0);
}

function problemsOf({ total, largestBuffer }: Need, { backend, limits }: PlanDevice): string[] {
  if (backend === 'wasm' && total > WASM_BYTES)
    return [`It needs ${gigabytes(total)} and wasm can address ${gigabytes(WASM_BYTES)}.`];
  const most = Math.min(limits['maxBufferSize'] ?? Infinity, limits['maxStorageBufferBindingSize'] ?? Infinity);
  if (backend === 'webgpu' && largestBuffer > most)
    return [`One of its buffers needs ${gigabytes(largestBuffer)} and this adapter allows ${gigabytes(most)}.`];
  return [];
}

/** One after the other, each on top of those before it, until nothing is in the way. */
function mildestChanges(
  run: RunConfig,
  { tiles }: LongestRecord,
  problems: (changed: RunConfig) => string[],
): Partial<RunFile> | null {
  let changed = run;
  const changes: Record<string, unknown> = {};
  const attempt = (patch: Partial<RunConfig>, keys: Record<string, unknown>): boolean => {
    changed = { ...changed, ...patch };
    Object.assign(changes, keys);
    return problems(changed).length === 0;
  };
  if (!changed.activationCheckpointing && attempt({ activationCheckpointing: true }, { activation_checkpointing: true }))
    return changes;
  while (changed.batch > 1 && changed.batch % 2 === 0) {
    const [batch, accumulate] = [changed.batch / 2, changed.accumulate * 2];
    if (attempt({ batch, accumulate }, { batch, accumulate })) return changes;
  }
  for (let maxTiles = Math.floor((changed.maxTiles ?? tiles) / 2); maxTiles >= 1; maxTiles = Math.floor(maxTiles / 2)) {
    if (attempt({ maxTiles }, { max_tiles: maxTiles })) return changes;
  }
  if (changed.lora) return null;
  const lora = { ...LORA, dropout: 0, targets: LORA_TARGETS, init: null };
  return attempt({ lora, trainable: null }, { lora: LORA, trainable: null }) ? changes : null;
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}
