import * as tf from '@tensorflow/tfjs';
import type { Variable } from '@tensorflow/tfjs';
import type { Device } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import {
  headerLength,
  parseHeader,
  parseSafetensors,
  writeSafetensors,
  type LoadedTensor,
  type TensorData,
} from '../weights/safetensors.ts';
import type { RunConfig } from './run-config.ts';
import type { OptimizedTensor } from './trainer.ts';
import { transposed } from '../numbers/transpose.ts';
import type { TrainedTensor } from './trained-tensors.ts';

/** What must be equal for a checkpoint to continue a run. */
export interface RunIdentity {
  /** What decides which records a step sees and what it trains, see {@link runIdentity}. */
  settings: string;
  /** Fingerprint of what it learns from. */
  data: string;
}

/** Name of a tensor of the optimiser's state, e.g. `optimizer.exp_avg.mlp1.1.weight`. */
function stateName(state: string, tensor: TrainedTensor): string {
  return `optimizer.${state}.${tensor.name}`;
}

/**
 * A run's state after `step` steps as one safetensors file: the trained tensors under their own names and in checkpoint
 * orientation, the optimiser's state, and in the metadata the step and what the run and its data were. Random numbers depend on seed and
 * step alone, so the step is their state too.
 *
 * @throws NvlmError `not-a-number` rather than write a broken state over a good one
 */
export async function writeCheckpoint(
  tensors: readonly OptimizedTensor[],
  step: number,
  { settings: run, data: learnt }: RunIdentity,
  device: Device,
): Promise<Uint8Array> {
  const data: TensorData[] = [];
  for (const tensor of tensors) {
    data.push(await stored(tensor, tensor.name, tensor.variable, device));
    for (const [name, variable] of Object.entries(tensor.state)) data.push(await stored(tensor, stateName(name, tensor), variable, device));
  }
  const counts = JSON.stringify(Object.fromEntries(tensors.map(({ name, count }) => [name, count])));
  return writeSafetensors(data, { format: 'pt', step: String(step), counts, run, data: learnt });
}

/** The trained tensors alone, by name; of a LoRA run these are PEFT's `adapter_model.safetensors`. */
export async function writeTrained(tensors: readonly TrainedTensor[], device: Device): Promise<Uint8Array> {
  const data: TensorData[] = [];
  for (const tensor of tensors) data.push(await stored(tensor, tensor.name, tensor.variable, device));
  return writeSafetensors(data, { format: 'pt' });
}

/**
 * Puts a checkpoint's state into a trainer's tensors.
 *
 * @returns the step to go on with
 * @throws NvlmError `usage` when another run made it or the data has changed since, `bad-model` when it is damaged
 */
export function restoreCheckpoint(bytes: Uint8Array, file: string, tensors: readonly OptimizedTensor[], run: RunIdentity): number {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file);
  const { metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, file);
  if (metadata['run'] !== run.settings) {
    throw new NvlmError(
      'usage',
      `${file} belongs to a run with other settings or data.`,
      'Resume with the run file that made it (steps and the optimiser’s numbers may differ), or give another --out.',
    );
  }
  if (metadata['data'] !== run.data) {
    throw new NvlmError(
      'usage',
      `The data of this run has changed since ${file} was written: records or pictures were added, edited or removed.`,
      'Put the data back as it was to go on with this run, or start another run with the changed data.',
    );
  }
  const step = wholeNumber(Number(metadata['step']), file);
  const counts = parseCounts(metadata['counts'], file);
  const stored = parseSafetensors(bytes, file);
  for (const tensor of tensors) {
    restore(tensor, stored.get(tensor.name), tensor.variable, file);
    for (const [name, variable] of Object.entries(tensor.state)) restore(tensor, stored.get(stateName(name, tensor)), variable, file);
    tensor.count = wholeNumber(counts.get(tensor.name), file);
  }
  return step;
}

/** Steps behind a checkpoint, from its header. @throws NvlmError `bad-model` when it is damaged */
export function checkpointStep(bytes: Uint8Array, file: string): number {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file);
  return wholeNumber(Number(parseHeader(bytes.subarray(8, 8 + length), bytes.length, file).metadata['step']), file);
}

/**
 * What decides which records a step sees and what it trains. Not how many steps there are, nor the optimiser's numbers:
 * a run that diverged goes on with a lower rate.
 *
 * @param data fingerprint of the records that it learns from
 */
export function runIdentity(run: RunConfig, data: string): RunIdentity {
  const { stage, trainable, batch, accumulate, shuffle, bucket, seed, maxTiles, tileTags } = run;
  const lora = run.lora && { ...run.lora, init: run.lora.init !== null };
  const text = run.text && { ratio: run.text.ratio, apart: run.text.data !== null };
  const blend = run.blend ? { blend: run.blend.ratio } : {};
  const settings = JSON.stringify({
    stage,
    trainable,
    lora,
    batch,
    accumulate,
    shuffle,
    bucket,
    seed,
    text,
    maxTiles,
    ...blend,
    ...(run.quantize && { quantize: run.quantize }),
    ...(tileTags && { tileTags }),
    ...(run.pack && { pack: true }),
    ...(run.optimizer.name !== 'adamw' && { optimizer: run.optimizer.name }),
  });
  return { settings, data };
}

async function stored(tensor: TrainedTensor, name: string, variable: Variable, device: Device): Promise<TensorData> {
  const values = await device.read(variable);
  if (values.some((value) => !Number.isFinite(value))) {
    throw new NvlmError(
      'not-a-number',
      `${name} holds values that are not numbers; the checkpoint before stays as it is.`,
      'Lower the learning rate and resume from that checkpoint.',
    );
  }
  const [rows, columns] = tensor.shape as [number, number];
  const data = tensor.transposed ? transposed(values, columns, rows) : Float32Array.from(values);
  return { name, dtype: 'F32', shape: tensor.shape, data };
}

function restore(tensor: TrainedTensor, stored: LoadedTensor | undefined, variable: Variable, file: string): void {
  if (!stored || stored.dtype !== 'F32' || stored.shape.join() !== tensor.shape.join()) throw damaged(file, `${tensor.name} does not fit`);
  const values = new Float32Array(stored.bytes.slice().buffer);
  const [rows, columns] = tensor.shape as [number, number];
  tf.tidy(() => variable.assign(tf.tensor(tensor.transposed ? transposed(values, rows, columns) : values, variable.shape)));
}

function parseCounts(text: string | undefined, file: string): Map<string, unknown> {
  try {
    return new Map(Object.entries(JSON.parse(text ?? '') as object));
  } catch {
    throw damaged(file, 'its step counts are missing');
  }
}

function wholeNumber(value: unknown, file: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw damaged(file, 'a step count is missing');
}

function damaged(file: string, why: string): NvlmError {
  return new NvlmError('bad-model', `${file} cannot be resumed from: ${why}.`, 'Start the run again with another --out.');
}
