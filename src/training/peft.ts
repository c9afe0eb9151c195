import { NvlmError } from '../errors.ts';
import type { LinearSize } from '../nvlm/weights.ts';
import { toF32 } from '../weights/dtype.ts';
import type { LoadedTensor } from '../weights/safetensors.ts';
import { broken, readAdapterConfig, unsupported } from './adapter-config.ts';
import type { AdapterModule } from './lora.ts';

export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** What an adapter is checked against: the model's linears, by their names without `.weight`. */
export interface LinearSizes {
  linearSize(module: string): LinearSize | null;
}

const NAME = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$/;

/**
 * A PEFT LoRA adapter, wherever it was made, as updates of this model's linears.
 *
 * @param config adapter_config.json, untrusted
 * @param tensors of adapter_model.safetensors
 * @throws NvlmError `bad-model`; `unsupported-model` for what is not plain LoRA
 */
export function parseAdapter(
  config: unknown,
  tensors: ReadonlyMap<string, LoadedTensor>,
  weights: LinearSizes,
): AdapterModule[] {
  const { scaleOf } = readAdapterConfig(config);
  return readPairs(tensors).map(({ given, a, b, ...sizes }) => {
    const module = ownName(given, weights);
    if (module === null) throw new NvlmError('bad-model', lacking(given), FIX);
    const problem = widthProblem({ given, ...sizes }, weights.linearSize(module)!);
    if (problem) throw broken(problem);
    return { module, rank: sizes.rank, scale: scaleOf(given, sizes.rank), a: values(a), b: values(b) };
  });
}

/** One linear that an adapter changes, under the adapter's own name for it. */
export interface AdapterPart {
  given: string;
  rank: number;
  inFeatures: number;
  outFeatures: number;
}

/** What an adapter is, without a model to put it on. */
export interface AdapterOutline {
  base: string | null;
  parts: AdapterPart[];
}

/** @throws NvlmError `bad-model`; `unsupported-model` for what is not plain LoRA */
export function outlineAdapter(config: unknown, tensors: ReadonlyMap<string, LoadedTensor>): AdapterOutline {
  const { base, scaleOf } = readAdapterConfig(config);
  const parts = readPairs(tensors).map(({ given, rank, inFeatures, outFeatures, a, b }) => {
    scaleOf(given, rank);
    // Before it is kept: values that are no numbers would make every answer one.
    values(a);
    values(b);
    return { given, rank, inFeatures, outFeatures };
  });
  return { base, parts };
}

/** Why a model cannot take an adapter of these parts: a sentence; null when it can. */
export function adapterMisfit(parts: readonly AdapterPart[], weights: LinearSizes): string | null {
  for (const part of parts) {
    const module = ownName(part.given, weights);
    if (module === null) return lacking(part.given);
    const problem = widthProblem(part, weights.linearSize(module)!);
    if (problem) return `${problem}.`;
  }
  return null;
}

/** An adapter's matrices, two by two. */
function readPairs(
  tensors: ReadonlyMap<string, LoadedTensor>,
): (AdapterPart & { a: LoadedTensor; b: LoadedTensor })[] {
  const sides = new Map<string, { A?: LoadedTensor; B?: LoadedTensor }>();
  for (const [name, tensor] of tensors) {
    // PEFT saves a copy of the frozen head or table that it adapts.
    if (name.endsWith('.base_layer.weight')) continue;
    const [, given, side] = NAME.exec(name) ?? [];
    if (!given || !side) throw unsupported(`it holds ${name}, which is no part of a LoRA on linears`);
    const entry = sides.get(given) ?? {};
    entry[side as 'A' | 'B'] = tensor;
    sides.set(given, entry);
  }
  if (sides.size === 0) throw broken('it holds no tensors');
  return [...sides].map(([given, { A, B }]) => {
    if (!A || !B) throw broken(`${given} has one of its two matrices only`);
    const [rank, inFeatures] = A.shape;
    const [outFeatures, inner] = B.shape;
    if (A.shape.length !== 2 || B.shape.length !== 2 || !rank || rank !== inner || !inFeatures || !outFeatures) {
      throw broken(`${given} has matrices [${A.shape.join(', ')}] and [${B.shape.join(', ')}], which do not belong together`);
    }
    return { given, rank, inFeatures, outFeatures, a: A, b: B };
  });
}

function widthProblem(part: AdapterPart, linear: LinearSize): string | null {
  if (part.inFeatures === linear.inFeatures && part.outFeatures === linear.outFeatures) return null;
  return (
    `${part.given} has matrices [${part.rank}, ${part.inFeatures}] and [${part.outFeatures}, ${part.rank}] where the ` +
    `model maps ${linear.inFeatures} to ${linear.outFeatures} features`
  );
}

function lacking(given: string): string {
  return `The adapter changes ${given}, which this model has not got.`;
}

const FIX = 'Use the adapter with the model it was trained on.';

/** Adapters name modules from the model class they were made with: the whole, or the language model alone. */
function ownName(given: string, weights: LinearSizes): string | null {
  const names = [
    given,
    `language_model.${given}`,
    given.replace(/^language_model\./, ''),
    given.replace(/^model\.language_model\./, 'language_model.model.'),
    given.replace(/^(model\.)?multi_modal_projector\.linear_1$/, 'mlp1.1'),
    given.replace(/^(model\.)?multi_modal_projector\.linear_2$/, 'mlp1.3'),
  ];
  return names.find((name) => weights.linearSize(name) !== null) ?? null;
}

function values(tensor: LoadedTensor): Float32Array {
  const floats = toF32(tensor.dtype, tensor.bytes);
  if (!floats) throw broken(`${tensor.name} has element type ${tensor.dtype}`);
  if (floats.some((value) => !Number.isFinite(value)))
    throw broken(`${tensor.name} holds values that are not finite numbers`);
  return floats;
}
