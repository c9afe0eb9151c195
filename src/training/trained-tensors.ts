import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor2D, Variable } from '@tensorflow/tfjs';
import type { Device } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import type { NvlmConfig } from '../nvlm/config.ts';
import { MODEL_PARTS, names, parameterSpecs, partOf, type ModelPart, type ParameterSpec } from '../nvlm/names.ts';
import { inOnePiece, type Weights } from '../nvlm/weights.ts';
import { halfToFloat } from '../numbers/half.ts';
import type { RunConfig } from './run-config.ts';

/** One tensor that a run changes. */
export interface TrainedTensor {
  /** In files. */
  name: string;
  /** In files: matrices [out, in]. */
  shape: readonly number[];
  /** On the device a matrix lies [in, out]. */
  transposed: boolean;
  /** Which module of the model reads it, e.g. `mlp1.1`. */
  module: string;
  variable: Variable;
}

/** What runs may train as a whole: all parts but the vision encoder. */
const GROUPS: readonly string[] = MODEL_PARTS.filter((part) => part !== 'vision_encoder');

const STAGES: Record<RunConfig['stage'], ModelPart[]> = {
  pretrain: ['connector', 'cross_attention'],
  sft: ['connector', 'cross_attention', 'language_model'],
};

/**
 * The tensors that a run without an adapter trains (paper §4.5): `pretrain` the connector and gated cross-attention,
 * `sft` the language model as well; `trainable` names groups or beginnings of tensor names instead. The vision encoder
 * stays frozen.
 *
 * @throws NvlmError `usage` when a name fits nothing, or nothing is left to train
 */
export function selectTrained(config: NvlmConfig, { stage, trainable }: Pick<RunConfig, 'stage' | 'trainable'>): ParameterSpec[] {
  const specs = parameterSpecs(config).filter(({ name }) => partOf(name) !== 'vision_encoder');
  const chosen = new Set<ParameterSpec>();
  for (const wanted of trainable ?? STAGES[stage]) {
    const found = specs.filter(({ name }) => (GROUPS.includes(wanted) ? partOf(name) === wanted : name.startsWith(wanted)));
    if (trainable && found.length === 0) {
      throw new NvlmError(
        'usage',
        `There is nothing to train under "${wanted}" in this model.`,
        `Name ${GROUPS.join(', ')}, or a tensor name’s beginning; the vision encoder stays frozen.`,
      );
    }
    for (const spec of found) chosen.add(spec);
  }
  if (chosen.size === 0) {
    throw new NvlmError('usage', `This model has nothing that stage "${stage}" trains.`, 'Use stage "sft", or name "trainable" tensors.');
  }
  return specs.filter((spec) => chosen.has(spec));
}

/**
 * Turns the model's tensors of these names into variables, in place; packed halves become f32.
 *
 * @throws NvlmError `usage` for quantised tensors
 */
export async function makeTrainable(weights: Weights, specs: readonly ParameterSpec[], device: Device): Promise<TrainedTensor[]> {
  const trained: TrainedTensor[] = [];
  for (const { name, role, shape } of specs) {
    const entry = { name, shape, transposed: role === 'linear', module: moduleOf(name) };
    if (role === 'vector') {
      const variable = asVariable(weights.vector(name));
      weights.vectors.set(name, variable as unknown as Tensor1D);
      trained.push({ ...entry, variable });
      continue;
    }
    const [rows, columns] = shape as [number, number];
    const held = inOnePiece(name, role === 'linear' ? weights.linear(entry.module) : weights.embedding(name));
    if (held.kind === 'affine') {
      throw new NvlmError(
        'usage',
        `${name} is quantised and cannot be trained itself.`,
        'Train a LoRA adapter on it: add "lora" to the run file.',
      );
    }
    let data: Tensor = held.data;
    if (held.kind === 'f16') {
      data = unpacked(await device.readIntegers(held.data), rows, columns, role === 'linear');
      held.data.dispose();
    }
    const variable = asVariable(data);
    if (role === 'linear') {
      weights.linears.set(name, {
        kind: 'f32',
        inFeatures: columns,
        outFeatures: rows,
        data: variable as unknown as Tensor2D,
      });
    } else {
      weights.embeddings.set(name, { kind: 'f32', vocab: rows, width: columns, data: variable as unknown as Tensor2D });
    }
    trained.push({ ...entry, variable });
  }
  return trained;
}

/** The name of the linear, norm or table that a tensor belongs to. */
export function moduleOf(name: string): string {
  return name.replace(/\.(weight|bias)$/, '');
}

/** Takes the tensor over. */
export function asVariable(tensor: Tensor): Variable {
  const variable = tf.variable(tensor);
  tensor.dispose();
  return variable;
}

/** Packed halves [rows, ceil(columns / 2)] as f32 [rows, columns], or transposed. */
function unpacked(words: Int32Array, rows: number, columns: number, transposed: boolean): Tensor2D {
  const perRow = Math.ceil(columns / 2);
  const out = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const half = (words[row * perRow + (column >> 1)]! >>> (column & 1 ? 16 : 0)) & 0xffff;
      out[transposed ? column * rows + row : row * columns + column] = halfToFloat(half);
    }
  }
  return tf.tensor2d(out, transposed ? [columns, rows] : [rows, columns]);
}

/**
 * Which variables decoder layer `index` reads. Cross-attention's key and value projections are not among them: they
 * read the image once, before the layers.
 */
export function trainedInLayer(trained: readonly TrainedTensor[], config: NvlmConfig, index: number, crossAttends: boolean): Variable[] {
  const prefix = `${names.decoderLayer(config, index)}.`;
  return trained
    .filter(({ module }) => {
      if (!module.startsWith(prefix)) return false;
      if (partOf(module) !== 'cross_attention') return true;
      return crossAttends && !/\.cross_attn\.[kv]_proj$/.test(module);
    })
    .map(({ variable }) => variable);
}
