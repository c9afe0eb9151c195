import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import { partOf } from '../nvlm/names.ts';
import type { LinearSize, LowRankUpdate, Weights } from '../nvlm/weights.ts';
import { hashText, numbersFor } from '../numbers/random.ts';
import type { LoraConfig } from './run-config.ts';
import { asVariable, turned, type TrainedTensor } from './trained-tensors.ts';

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

/**
 * Names of the linears that end in one of the targets. Never the vision encoder's.
 *
 * @throws NvlmError `usage` when a target fits nothing
 */
export function targetedModules(weights: Weights, targets: readonly string[]): string[] {
  const modules = linearModules(weights);
  const idle = targets.find((target) => !modules.some((module) => fitsTarget(module, target)));
  if (idle !== undefined) {
    throw new NvlmError(
      'usage',
      `The LoRA target "${idle}" fits no linear of the decoder, its cross-attention or the connector.`,
      'Name the end of a module, such as self_attn.q_proj, mlp.up_proj, cross_attn.v_proj or mlp1.1.',
    );
  }
  return modules.filter((module) => targets.some((target) => fitsTarget(module, target)));
}

function linearModules(weights: Weights): string[] {
  return [...weights.linears.keys()]
    .map((name) => name.replace(/\.weight$/, ''))
    .filter((module) => partOf(module) !== 'vision_encoder');
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

/** A fresh adapter, which changes nothing yet: A uniform as PyTorch initialises a linear, B zero (PEFT's default). */
export function freshAdapter(weights: Weights, { rank, alpha, targets }: LoraConfig, seed: number): AdapterModule[] {
  return targetedModules(weights, targets).map((module) => {
    const { inFeatures, outFeatures } = weights.linear(module);
    const next = numbersFor(seed, hashText(module));
    const bound = 1 / Math.sqrt(inFeatures);
    const a = Float32Array.from({ length: rank * inFeatures }, () => (2 * next() - 1) * bound);
    return { module, rank, scale: alpha / rank, a, b: new Float32Array(outFeatures * rank) };
  });
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
        a: tf.tensor2d(turned(a, rank, inFeatures), [inFeatures, rank]),
        b: tf.tensor2d(turned(b, outFeatures, rank), [rank, outFeatures]),
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

/** Makes the adapter's updates, which must be on the model already, trainable. `dropout` gets the module's name. */
export function makeAdapterTrainable(
  weights: Weights,
  modules: readonly AdapterModule[],
  dropout: ((x: Tensor2D, module: string) => Tensor2D) | null,
): TrainedTensor[] {
  return modules.flatMap(({ module, rank }) => {
    const updates = weights.updates.get(module)!;
    const update = updates.at(-1)!;
    const [a, b] = [asVariable(update.a), asVariable(update.b)];
    updates[updates.length - 1] = {
      a: a as unknown as Tensor2D,
      b: b as unknown as Tensor2D,
      scale: update.scale,
      dropout: dropout && ((x) => dropout(x, module)),
    };
    const { inFeatures, outFeatures } = weights.linear(module);
    return [
      { name: adapterTensorName(module, 'A'), shape: [rank, inFeatures], transposed: true, module, variable: a },
      { name: adapterTensorName(module, 'B'), shape: [outFeatures, rank], transposed: true, module, variable: b },
    ];
  });
}

/** PEFT's name of an adapter's tensor. */
export function adapterTensorName(module: string, side: 'A' | 'B'): string {
  return `base_model.model.${module}.lora_${side}.weight`;
}

function sizeOf(weights: Weights, module: string): LinearSize {
  return weights.linearSize(module) ?? weights.linear(module);
}

function checkSizes(
  module: string,
  rank: number,
  a: Float32Array,
  b: Float32Array,
  { inFeatures, outFeatures }: LinearSize,
): void {
  if (a.length === rank * inFeatures && b.length === outFeatures * rank) return;
  throw new NvlmError(
    'bad-model',
    `The adapter does not fit this model: ${module} maps ${inFeatures} to ${outFeatures} features here.`,
    'Use the adapter with the model it was trained on.',
  );
}
