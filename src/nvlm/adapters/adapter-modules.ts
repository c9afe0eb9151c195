import * as tf from '@tensorflow/tfjs';
import { NvlmError } from '../../errors.ts';
import { transposed } from '../../numbers/transpose.ts';
import { partOf } from '../names.ts';
import type { LinearSize, LowRankUpdate, Weights } from '../weights.ts';

/** One module's part of an adapter, as PEFT files hold it. */
export interface AdapterModule {
  /** Name of the linear, e.g. `language_model.model.layers.0.self_attn.q_proj`. */
  module: string;
  rank: number;
  scale: number;
  /** [rank, in] */
  a: Float32Array;
  /** [out, rank] */
  b: Float32Array;
}

/** Names of the linears that an adapter may stand on: never the vision encoder's. */
export function linearModules(weights: Weights): string[] {
  return [...weights.linears.keys()].map((name) => name.replace(/\.weight$/, '')).filter((module) => partOf(module) !== 'vision_encoder');
}

/** Targets that these modules fit and no other does: ends of their names, or their names where ends are not enough. */
export function targetsOf(weights: Weights, modules: readonly string[]): string[] {
  const all = linearModules(weights);
  const targets = modules.map((module) => {
    const end = module.split('.').slice(-2).join('.');
    return all.every((one) => !fitsTarget(one, end) || modules.includes(one)) ? end : module;
  });
  return [...new Set(targets)];
}

/** As PEFT matches one of a list of `target_modules`. */
export function fitsTarget(module: string, target: string): boolean {
  return module === target || module.endsWith(`.${target}`);
}

/**
 * An adapter's matrices on the device, the caller's to dispose.
 *
 * @throws NvlmError `bad-model` when it belongs to a model of other widths
 */
export function updatesOf(weights: Weights, modules: readonly AdapterModule[]): Map<string, LowRankUpdate> {
  for (const { module, rank, a, b } of modules) checkSizes(module, rank, a, b, sizeOf(weights, module));
  return new Map(
    modules.map(({ module, rank, scale, a, b }) => {
      const { inFeatures, outFeatures } = sizeOf(weights, module);
      const update: LowRankUpdate = {
        a: tf.tensor2d(transposed(a, rank, inFeatures), [inFeatures, rank]),
        b: tf.tensor2d(transposed(b, outFeatures, rank), [rank, outFeatures]),
        scale,
        dropout: null,
      };
      return [module, update];
    }),
  );
}

/**
 * Puts an adapter on the model; it stands until the weights are disposed.
 *
 * @param strength factor on the adapter's own scale
 * @throws NvlmError `bad-model` when it belongs to a model of other widths
 */
export function addAdapter(weights: Weights, modules: readonly AdapterModule[], strength = 1): void {
  for (const [module, update] of updatesOf(weights, modules)) {
    const scaled = { ...update, scale: update.scale * strength };
    weights.updates.set(module, [...(weights.updates.get(module) ?? []), scaled]);
  }
}

/** PEFT's name of an adapter's tensor. */
export function adapterTensorName(module: string, side: 'A' | 'B'): string {
  return `base_model.model.${module}.lora_${side}.weight`;
}

function sizeOf(weights: Weights, module: string): LinearSize {
  return weights.linearSize(module) ?? weights.linear(module);
}

function checkSizes(module: string, rank: number, a: Float32Array, b: Float32Array, { inFeatures, outFeatures }: LinearSize): void {
  if (a.length === rank * inFeatures && b.length === outFeatures * rank) return;
  throw new NvlmError(
    'bad-model',
    `The adapter does not fit this model: ${module} maps ${inFeatures} to ${outFeatures} features here.`,
    'Use the adapter with the model it was trained on.',
  );
}
