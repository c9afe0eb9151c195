import { NvlmError } from '../errors.ts';
import type { AffineBits } from '../ops/affine.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import type { NvlmConfig } from './config.ts';
import { parameterSpecs, partOf, type ParameterSpec } from './names.ts';
import { namingOf } from './naming.ts';
import { visionDummyHeads } from './vision/intern-vit-parameters.ts';

/** One parameter of the model and the file tensors that it comes from. */
export interface PlannedParameter {
  spec: ParameterSpec;
  /** Stacked by rows; for a quantised parameter its one tensor of packed words. */
  sources: TensorEntry[];
  /** Of a parameter that the checkpoint holds quantised, in MLX's affine layout. */
  affine: { bits: AffineBits; groupSize: number; scales: TensorEntry; biases: TensorEntry } | null;
}

/** Scales and biases of half precision: what WebGPU's programs read in pairs, unless a value is beyond what f16 holds. */
export function areSidesHalves({ scales, biases }: NonNullable<PlannedParameter['affine']>): boolean {
  return scales.dtype !== 'F32' && biases.dtype !== 'F32';
}

/** What the weights of a folder would be, checked against the config before a byte of them is read. */
export interface WeightsPlan {
  parameters: PlannedParameter[];
  /** See `visionDummyHeads`. */
  dummyHeads: number;
}

const LISTED = 3;
const FLOATS = new Set(['F32', 'F16', 'BF16']);

/**
 * Finds every parameter in the folder's tensors, under whichever names.
 *
 * @throws NvlmError `bad-model` that names the first tensors that are missing, wrong in shape, or unknown to this architecture:
 *   leaving an unknown one out would give wrong answers.
 */
export function planWeights(folder: Pick<ModelFolder, 'tensors'>, config: NvlmConfig): WeightsPlan {
  const { tensors } = folder;
  refuseUnmerged(tensors.keys());
  const naming = namingOf(config.family.namings, tensors.keys());
  const dummyHeads = visionDummyHeads(config.vision, (name) => tensors.get(name)?.shape);
  const complaints: string[] = [];
  const used = new Set<string>();
  const parameters: PlannedParameter[] = [];
  for (const spec of parameterSpecs(config, dummyHeads)) {
    const sought = naming.sourceNames(spec.name);
    sought.forEach((name) => used.add(name));
    const missing = sought.find((name) => !tensors.has(name));
    if (missing !== undefined) {
      complaints.push(`${missing} is missing`);
      continue;
    }
    const sources = sought.map((name) => tensors.get(name)!);
    const [first] = sources;
    if (first!.dtype === 'U32' && sources.length === 1 && spec.role !== 'vector') {
      const affine = affineOf(first!, spec, tensors);
      if (typeof affine === 'string') complaints.push(affine);
      else parameters.push({ spec, sources, affine });
      for (const part of ['scales', 'biases']) used.add(first!.name.replace(/weight$/, part));
      continue;
    }
    const [rows, ...rest] = spec.shape;
    const partShape = [rows! / sources.length, ...rest];
    for (const { name, shape, dtype } of sources) {
      if (!sameShape(shape, partShape)) {
        complaints.push(`${name} has shape [${shape.join(', ')}] where config.json asks for [${partShape.join(', ')}]`);
      } else if (!FLOATS.has(dtype)) {
        complaints.push(`${name} has element type ${dtype}, which this engine does not compute with`);
      }
    }
    parameters.push({ spec, sources, affine: null });
  }
  for (const name of tensors.keys()) {
    if (!used.has(name) && !isHarmless(name)) complaints.push(`${name} is in the weights, and config.json describes no such part`);
  }
  if (complaints.length > 0) {
    const more = complaints.length > LISTED ? `; and ${complaints.length - LISTED} more` : '';
    throw new NvlmError(
      'bad-model',
      `The weights do not fit config.json: ${complaints.slice(0, LISTED).join('; ')}${more}.`,
      'Use a folder whose config.json and safetensors files belong together.',
    );
  }
  return { parameters, dummyHeads };
}

/** How a quantised tensor is packed, read off its shapes, or what is wrong with it. */
function affineOf(words: TensorEntry, spec: ParameterSpec, tensors: ModelFolder['tensors']): PlannedParameter['affine'] | string {
  const [rows, columns] = spec.shape as [number, number];
  const scales = tensors.get(words.name.replace(/weight$/, 'scales'));
  const biases = tensors.get(words.name.replace(/weight$/, 'biases'));
  if (!scales || !biases) return `${words.name} is packed, and its ${scales ? 'biases' : 'scales'} are missing`;
  const bits = ((words.shape[1] ?? 0) * 32) / columns;
  const groupSize = columns / (scales.shape[1] ?? 0);
  const shapes = `${words.name} [${words.shape.join(', ')}] with scales [${scales.shape.join(', ')}]`;
  if (words.shape[0] !== rows || words.shape.length !== 2 || (bits !== 4 && bits !== 8)) {
    return `${shapes} is not a matrix [${rows}, ${columns}] of 4 or 8 bits`;
  }
  if (
    ![32, 64, 128].includes(groupSize) ||
    !sameShape(scales.shape, [rows, columns / groupSize]) ||
    !sameShape(biases.shape, scales.shape)
  ) {
    return `${shapes} is not quantised in groups of 32, 64 or 128`;
  }
  if (!FLOATS.has(scales.dtype) || !FLOATS.has(biases.dtype)) return `${words.name} has scales of element type ${scales.dtype}`;
  return { bits, groupSize, scales, biases };
}

/** Tensors that checkpoints carry along and the forward pass does not read. */
function isHarmless(name: string): boolean {
  return /\.(rotary_embd?\.inv_freq|position_ids|masked_bias|embeddings\.mask_token)$/.test(name);
}

/** @throws NvlmError `bad-model` for a model that was saved with a LoRA adapter beside its matrices instead of in them */
function refuseUnmerged(names: Iterable<string>): void {
  for (const name of names) {
    if (!/\.(base_layer|lora_[AB])\./.test(name)) continue;
    throw new NvlmError(
      'bad-model',
      `The weights hold a LoRA adapter that was not merged into them (${name}).`,
      'Merge the LoRA first (PEFT: model.merge_and_unload()), save the model again and use that folder.',
    );
  }
}

/** May quantising while loading pack this parameter? The language model's matrices, as MLX's converters do. */
export function isQuantizable(spec: ParameterSpec, groupSize: number): boolean {
  const [, columns] = spec.shape;
  if (spec.role === 'vector' || columns === undefined || columns % groupSize !== 0) return false;
  const part = partOf(spec.name);
  return part === 'language_model' || part === 'cross_attention';
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}
