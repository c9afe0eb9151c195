import { NvlmError } from '../../errors.ts';
import { ownModules } from '../families/list.ts';
import type { OwnModule } from '../naming.ts';
import type { LinearSize } from '../weights.ts';
import { toF32 } from '../../weights/dtype.ts';
import type { LoadedTensor } from '../../weights/safetensors.ts';
import { broken, readAdapterConfig, unsupported } from './adapter-config.ts';
import type { AdapterModule } from './adapter-modules.ts';

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
export function parseAdapter(config: unknown, tensors: ReadonlyMap<string, LoadedTensor>, weights: LinearSizes): AdapterModule[] {
  const { scaleOf } = readAdapterConfig(config);
  const modules = new Map<string, AdapterModule>();
  for (const { given, a, b, ...sizes } of readPairs(tensors)) {
    const own = ownModule(given, weights);
    if (own === null) throw new NvlmError('bad-model', lacking(given), FIX);
    const problem = widthProblem({ given, ...sizes }, own);
    if (problem) throw broken(problem);
    const { module, part, parts } = own;
    const [rank, scale] = [sizes.rank, scaleOf(given, sizes.rank)];
    const whole = { module, rank, scale, a: values(a), b: partOfRows(values(b), part, parts) };
    const other = modules.get(module);
    modules.set(module, other ? sumOf(other, whole) : whole);
  }
  return [...modules.values()];
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
    const own = ownModule(part.given, weights);
    if (own === null) return lacking(part.given);
    const problem = widthProblem(part, own);
    if (problem) return `${problem}.`;
  }
  return null;
}

/** An adapter's matrices, two by two. */
function readPairs(tensors: ReadonlyMap<string, LoadedTensor>): (AdapterPart & { a: LoadedTensor; b: LoadedTensor })[] {
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

/** Which linear of the model an adapter's name means, and how wide its part of it is; null when there is none. */
function ownModule(given: string, weights: LinearSizes): (OwnModule & LinearSize) | null {
  for (const own of ownModules(given)) {
    const linear = weights.linearSize(own.module);
    if (linear) return { ...own, inFeatures: linear.inFeatures, outFeatures: linear.outFeatures / own.parts };
  }
  return null;
}

/** B of one of `parts` projections as B of the linear that they are stacked in: it changes no row of the others. */
function partOfRows(b: Float32Array, part: number, parts: number): Float32Array {
  if (parts === 1) return b;
  const whole = new Float32Array(b.length * parts);
  whole.set(b, b.length * part);
  return whole;
}

/** Two changes of one linear, which the adapter names by its parts, as one of both ranks together; the Bs take the scales. */
function sumOf(first: AdapterModule, second: AdapterModule): AdapterModule {
  const a = new Float32Array(first.a.length + second.a.length);
  a.set(first.a);
  a.set(second.a, first.a.length);
  const rank = first.rank + second.rank;
  const rows = first.b.length / first.rank;
  const b = new Float32Array(rows * rank);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < first.rank; k++) b[row * rank + k] = first.b[row * first.rank + k]! * first.scale;
    for (let k = 0; k < second.rank; k++) b[row * rank + first.rank + k] = second.b[row * second.rank + k]! * second.scale;
  }
  return { module: first.module, rank, scale: 1, a, b };
}

function values(tensor: LoadedTensor): Float32Array {
  const floats = toF32(tensor.dtype, tensor.bytes);
  if (!floats) throw broken(`${tensor.name} has element type ${tensor.dtype}`);
  if (floats.some((value) => !Number.isFinite(value))) throw broken(`${tensor.name} holds values that are not finite numbers`);
  return floats;
}
