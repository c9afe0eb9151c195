import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { sidesOf } from './affine.ts';
import { allocateTensor } from '../device/tensor-memory.ts';
import { attendReference, maskVisibility } from './attention/reference.ts';
import { attentionSizes } from './attention/sizes.ts';
import { linearReference, unpackAffineWeight, unpackWeight } from './linear/reference.ts';
import { floats, halves, integers, inOtherVariants, type HostTensor, type OpCase, paired, quantised } from './op-case.ts';
import { crossAttentionCommands, partsLength, runsOf, selfAttentionCommands, type AttendSizes } from './recorded/attend.ts';
import { bufferOf, CommandList, makeBuffer, type Command } from './recorded/command-list.ts';
import { embedTokenCommand } from './recorded/embed-token.ts';
import { productCommand, swigluCommand, type Factor, type ProductInput } from './recorded/product.ts';
import { rmsNormReference } from './rms-norm/reference.ts';
import { ropeReference } from './rope/reference.ts';
import { swigluReference } from './swiglu/reference.ts';
import type { AffineSides, EmbeddingTable, PlainWeight } from './types.ts';

type Tensors = Record<string, tf.Tensor>;
const KINDS = ['f32', 'f16', 'affine4', 'affine8'] as const;
type Kind = (typeof KINDS)[number] | 'affine4 paired' | 'affine8 paired';

/** The programs of a recorded decode step, one token each, against the stock ops whose place they take. WebGPU alone has them. */
export const recordedCases: OpCase[] = [
  productCase('f32', 40, [12, 7, 36]),
  productCase('f16', 48, [9, 33]),
  productCase('affine4', 96, [10, 7]),
  productCase('affine8', 64, [33]),
  productCase('affine4 paired', 96, [10, 7]),
  // So many outputs that a thread takes four.
  productCase('f16', 24, [16_388]),
  productCase('affine4', 64, [16_388]),
  updateCase('f32', 40, 36),
  updateCase('affine8', 64, 13),
  residualCase('f32', 36, 20),
  residualCase('f16', 64, 13),
  swigluCase('f32', 20, 36),
  swigluCase('f16', 24, 19),
  swigluCase('affine4', 64, 11),
  swigluCase('affine8 paired', 64, 11),
  ...KINDS.flatMap((kind) => inOtherVariants('recordedProduct', kind, productCase(kind, 96, [35, 6]))),
  ...KINDS.flatMap((kind) => inOtherVariants('recordedSwiglu', kind, swigluCase(kind, 96, 35))),
  attentionCase({ heads: 2, kvHeads: 2, dim: 8, keys: 5 }, 4, false),
  attentionCase({ heads: 6, kvHeads: 2, dim: 32, keys: 256 }, 70, true),
  // Several runs: 2048 / 7 scores a head, in steps of 64.
  attentionCase({ heads: 14, kvHeads: 2, dim: 16, keys: 768 }, 700, false),
  crossCase({ heads: 4, kvHeads: 4, dim: 16, keys: 33 }),
  crossCase({ heads: 8, kvHeads: 1, dim: 8, keys: 300 }),
  embedCase('f32', 9, 20),
  embedCase('f16', 9, 21),
  embedCase('affine4', 9, 64),
  embedCase('affine4 paired', 9, 64),
];

const EPS = 1e-5;

/** Runs commands at once, as a recorded step would, with `result` the buffer of a tensor that starts as `values`. */
function replayOnce(values: tf.Tensor, commandsFor: (result: GPUBuffer, device: GPUDevice) => Command[], position = 0): tf.Tensor {
  const { device } = tf.backend() as WebGPUBackend;
  const result = tf.add(values, 0);
  const list = new CommandList(device);
  for (const command of commandsFor(bufferOf(result), device)) list.add(command);
  list.writeStep({ position, topK: 0, temperature: 0, topP: 1, repetitionPenalty: 1, random: 0 });
  // What made the inputs may still wait in tfjs's own encoder.
  allocateTensor([1], 'float32').dispose();
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  list.replay(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
  list.dispose();
  return result;
}

const bitsOf = (kind: Kind) => (kind.startsWith('affine4') ? 4 : 8);

function matrixInputs(kind: Kind, inFeatures: number, outFeatures: number, seed: number, tag = ''): Record<string, HostTensor> {
  if (kind === 'f32') return { [`weight${tag}`]: floats([inFeatures, outFeatures], seed) };
  if (kind === 'f16') return { [`weight${tag}`]: halves(outFeatures, inFeatures, seed) };
  const apart = quantised(outFeatures, inFeatures, bitsOf(kind), 32, seed);
  const { words, ...sides } = kind.endsWith('paired') ? paired(apart) : apart;
  return { [`weight${tag}`]: words, ...Object.fromEntries(Object.entries(sides).map(([name, side]) => [`${name}${tag}`, side])) };
}

function weightOf(kind: Kind, inFeatures: number, outFeatures: number, inputs: Tensors, tag = ''): PlainWeight {
  const data = inputs[`weight${tag}`] as tf.Tensor2D;
  if (kind === 'f32' || kind === 'f16') return { kind, inFeatures, outFeatures, data };
  const [scales, biases, pairs] = ['scales', 'biases', 'pairs'].map((name) => inputs[`${name}${tag}`]);
  const sides = sidesOf({ scales, biases, pairs }) as AffineSides;
  return { kind: 'affine', bits: bitsOf(kind), groupSize: 32, inFeatures, outFeatures, data, ...sides };
}

/** [in, out], exact. */
function matrixOf(weight: PlainWeight): tf.Tensor2D {
  if (weight.kind === 'f16') return unpackWeight(weight.data, weight.inFeatures);
  if (weight.kind !== 'affine') return weight.data;
  return unpackAffineWeight({ words: weight.data, ...sidesOf<tf.Tensor2D>(weight) }, weight);
}

function productCase(kind: Kind, inFeatures: number, outs: number[]): OpCase {
  const sizes = outs.map((out, n) => [String(n), out] as const);
  const factors = (inputs: Tensors): Factor[] =>
    sizes.map(([tag, out], n) => ({
      weight: weightOf(kind, inFeatures, out, inputs, tag),
      bias: n === 0 ? (inputs.bias as tf.Tensor1D) : null,
    }));
  return {
    op: 'recordedProduct',
    case: `${kind}, normed [${inFeatures}] × [${outs.join(', ')}], one bias`,
    bound: 1e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      x: floats([1, inFeatures], 1, 3),
      norm: floats([inFeatures], 2),
      bias: floats([outs[0]!], 3),
      ...Object.assign({}, ...sizes.map(([tag, out], n) => matrixInputs(kind, inFeatures, out, 10 + 5 * n, tag))),
    }),
    differentiable: [],
    run: (inputs) => {
      const input: ProductInput = { row: bufferOf(inputs.x!), norm: { weight: inputs.norm as tf.Tensor1D, eps: EPS } };
      const width = outs.reduce((sum, out) => sum + out, 0);
      return replayOnce(tf.zeros([width]), (result) => [productCommand('product', input, factors(inputs), result)]);
    },
    reference: (inputs) => {
      const x = rmsNormReference(inputs.x as tf.Tensor2D, inputs.norm as tf.Tensor1D, EPS);
      const parts = factors(inputs).map(({ weight, bias }) => linearReference(x, matrixOf(weight), bias ?? undefined).flatten());
      return tf.concat(parts);
    },
  };
}

function residualCase(kind: Kind, inFeatures: number, outFeatures: number): OpCase {
  return {
    op: 'recordedProduct',
    case: `${kind}, [${inFeatures}] × [${outFeatures}] times tanh of a gate onto a row`,
    bound: 1e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      x: floats([1, inFeatures], 1),
      held: floats([outFeatures], 2),
      gate: floats([1], 4),
      ...matrixInputs(kind, inFeatures, outFeatures, 10),
    }),
    differentiable: [],
    run: (inputs) => {
      const factor: Factor = { weight: weightOf(kind, inFeatures, outFeatures, inputs), bias: null };
      const input: ProductInput = { row: bufferOf(inputs.x!), norm: null };
      return replayOnce(inputs.held!, (result) => [
        productCommand('out', input, [factor], result, { add: true, gate: inputs.gate as tf.Tensor1D }),
      ]);
    },
    reference: (inputs) => {
      const matrix = matrixOf(weightOf(kind, inFeatures, outFeatures, inputs));
      return tf.add(
        inputs.held!,
        linearReference(inputs.x as tf.Tensor2D, matrix, undefined)
          .flatten()
          .mul(tf.tanh(inputs.gate!)),
      );
    },
  };
}

/** What two adapters add, of ranks 3 and 5, to the outputs of a product and of a gate. */
function updateCase(kind: Kind, inFeatures: number, outFeatures: number): OpCase {
  const ranks = [3, 5];
  const bOf = (inputs: Tensors) => ranks.map((_, n) => inputs[`b${n}`] as tf.Tensor2D);
  const factor = (inputs: Tensors): Factor => ({
    weight: weightOf(kind, inFeatures, outFeatures, inputs),
    bias: inputs.bias as tf.Tensor1D,
  });
  return {
    op: 'recordedProduct',
    case: `${kind}, [${inFeatures}] × [${outFeatures}] and low-rank updates`,
    bound: 1e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      x: floats([1, inFeatures], 1, 3),
      bias: floats([outFeatures], 3),
      low: floats([8], 4),
      ...Object.fromEntries(ranks.map((rank, n) => [`b${n}`, floats([rank, outFeatures], 5 + n)])),
      ...matrixInputs(kind, inFeatures, outFeatures, 10),
    }),
    differentiable: [],
    run: (inputs) => {
      const low = bufferOf(inputs.low!);
      const [first, second] = bOf(inputs) as [tf.Tensor2D, tf.Tensor2D];
      const updates = [
        { low, at: 0, b: first, scale: 2 },
        { low, at: 3, b: second, scale: 0.5 },
      ];
      return replayOnce(tf.zeros([outFeatures]), (result) => [
        productCommand('product', { row: bufferOf(inputs.x!), norm: null }, [{ ...factor(inputs), updates }], result),
      ]);
    },
    reference: (inputs) => {
      const { weight, bias } = factor(inputs);
      const [first, second] = bOf(inputs).map((b, n) =>
        tf.matMul(tf.slice(inputs.low!, [3 * n], [ranks[n]!]).reshape<tf.Tensor2D>([1, -1]), b),
      );
      const product = linearReference(inputs.x as tf.Tensor2D, matrixOf(weight), bias ?? undefined);
      return product.add(first!.mul(2)).add(second!.mul(0.5)).flatten();
    },
  };
}

function swigluCase(kind: Kind, inFeatures: number, outFeatures: number): OpCase {
  const side = (inputs: Tensors, tag: string): Factor => ({ weight: weightOf(kind, inFeatures, outFeatures, inputs, tag), bias: null });
  return {
    op: 'recordedSwiglu',
    case: `${kind}, normed [${inFeatures}] × [${outFeatures}]`,
    bound: 1e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      x: floats([1, inFeatures], 1, 3),
      norm: floats([inFeatures], 2),
      ...matrixInputs(kind, inFeatures, outFeatures, 10, 'Gate'),
      ...matrixInputs(kind, inFeatures, outFeatures, 20, 'Up'),
    }),
    differentiable: [],
    run: (inputs) => {
      const input: ProductInput = { row: bufferOf(inputs.x!), norm: { weight: inputs.norm as tf.Tensor1D, eps: EPS } };
      return replayOnce(tf.zeros([outFeatures]), (result) => [
        swigluCommand('swiglu', input, side(inputs, 'Gate'), side(inputs, 'Up'), result),
      ]);
    },
    reference: (inputs) => {
      const x = rmsNormReference(inputs.x as tf.Tensor2D, inputs.norm as tf.Tensor1D, EPS);
      const [gate, up] = ['Gate', 'Up'].map((tag) => linearReference(x, matrixOf(side(inputs, tag).weight), undefined));
      return swigluReference(gate!, up!).flatten();
    },
  };
}

function frequencies(dim: number): HostTensor {
  return { shape: [dim / 2], dtype: 'float32', values: Float32Array.from({ length: dim / 2 }, (_, i) => 1e4 ** ((-2 * i) / dim)) };
}

/** The token at `position`; what the cache holds from there on must not matter. */
function attentionCase(sizes: AttendSizes, position: number, qkNorm: boolean): OpCase {
  const { heads, kvHeads, dim, keys } = sizes;
  return {
    op: 'recordedAttention',
    case: `${heads}/${kvHeads} heads of ${dim}, position ${position} of ${keys}${qkNorm ? ', q and k normed' : ''}`,
    bound: 2e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      fresh: floats([(heads + 2 * kvHeads) * dim], 1, 2),
      k: floats([1, keys, kvHeads * dim], 2, 2),
      v: floats([1, keys, kvHeads * dim], 3),
      inverseFrequencies: frequencies(dim),
      ...(qkNorm && { qNorm: floats([dim], 4, 2), kNorm: floats([dim], 5, 2) }),
    }),
    differentiable: [],
    run: (inputs) => {
      const { fresh, inverseFrequencies, qNorm, kNorm } = inputs as Record<string, tf.Tensor1D>;
      // Written in place: the case's own tensors stay as they are.
      const [k, v] = [tf.add(inputs.k!, 0) as tf.Tensor3D, tf.add(inputs.v!, 0) as tf.Tensor3D];
      const norms = qNorm && kNorm ? { q: qNorm, k: kNorm, eps: EPS } : null;
      return replayOnce(
        tf.zeros([heads * dim]),
        (result, device) => {
          const parts = runsOf(sizes) > 1 ? makeBuffer(device, 'parts', partsLength(sizes)) : null;
          return selfAttentionCommands(
            sizes,
            { fresh: bufferOf(fresh!), k, v, inverseFrequencies: inverseFrequencies!, qkNorm: norms },
            parts,
            result,
          );
        },
        position,
      );
    },
    reference: ({ fresh, k, v, inverseFrequencies, qNorm, kNorm }) => {
      const rows = (first: number, count: number) => tf.slice(fresh!, [first * dim], [count * dim]).reshape<tf.Tensor2D>([1, count * dim]);
      const normed = (row: tf.Tensor2D, weight: tf.Tensor | undefined) =>
        weight ? rmsNormReference(row.reshape([-1, dim]), weight as tf.Tensor1D, EPS).reshape<tf.Tensor2D>(row.shape) : row;
      const places = tf.tensor1d([position], 'int32');
      const turned = (row: tf.Tensor2D, count: number) => ropeReference(row, places, inverseFrequencies as tf.Tensor1D, count, 1);
      const q = turned(normed(rows(0, heads), qNorm), heads);
      const past = (cache: tf.Tensor) => tf.slice(cache, [0, 0, 0], [1, position, kvHeads * dim]) as tf.Tensor3D;
      const behind = (cache: tf.Tensor, row: tf.Tensor2D) => tf.concat([past(cache), row.reshape<tf.Tensor3D>([1, 1, -1])], 1);
      const held = {
        k: behind(k!, turned(normed(rows(heads, kvHeads), kNorm), kvHeads)),
        v: behind(v!, rows(heads + kvHeads, kvHeads)),
      };
      return attendAll(q, held.k, held.v, { heads, kvHeads });
    },
  };
}

function crossCase(sizes: AttendSizes): OpCase {
  const { heads, kvHeads, dim, keys } = sizes;
  return {
    op: 'recordedAttention',
    case: `across, ${heads}/${kvHeads} heads of ${dim}, ${keys} keys`,
    bound: 2e-5,
    onlyOn: 'webgpu',
    inputs: () => ({
      q: floats([1, heads * dim], 1, 2),
      k: floats([1, keys, kvHeads * dim], 2, 2),
      v: floats([1, keys, kvHeads * dim], 3),
    }),
    differentiable: [],
    run: ({ q, k, v }) =>
      replayOnce(tf.zeros([heads * dim]), (result, device) => {
        const parts = runsOf(sizes) > 1 ? makeBuffer(device, 'parts', partsLength(sizes)) : null;
        return crossAttentionCommands(sizes, { queries: bufferOf(q!), k: k as tf.Tensor3D, v: v as tf.Tensor3D }, parts, result);
      }),
    reference: ({ q, k, v }) => attendAll(q as tf.Tensor2D, k as tf.Tensor3D, v as tf.Tensor3D, { heads, kvHeads }),
  };
}

function attendAll(q: tf.Tensor2D, k: tf.Tensor3D, v: tf.Tensor3D, attrs: { heads: number; kvHeads: number }): tf.Tensor {
  const sizes = attentionSizes('attention', q, k, v, attrs);
  return attendReference(q, k, v, sizes, maskVisibility(sizes, false, undefined, undefined)).flatten();
}

function embedCase(kind: Exclude<Kind, 'affine8' | 'affine8 paired'>, vocab: number, width: number): OpCase {
  const id = 7;
  const tableOf = (inputs: Tensors): EmbeddingTable => {
    const weight = weightOf(kind, width, vocab, inputs);
    return { ...weight, vocab, width } as EmbeddingTable;
  };
  return {
    op: 'recordedEmbed',
    case: `${kind} [${vocab}, ${width}]`,
    bound: 1e-6,
    onlyOn: 'webgpu',
    inputs: () => ({
      picked: integers([1], [id]),
      // An embedding table lies token by token in every kind.
      ...(kind === 'f32' ? { weight: floats([vocab, width], 10) } : matrixInputs(kind, width, vocab, 10)),
    }),
    differentiable: [],
    run: (inputs) => replayOnce(tf.zeros([width]), (result) => [embedTokenCommand(tableOf(inputs), bufferOf(inputs.picked!), result)]),
    reference: (inputs) => {
      if (kind === 'f32') return tf.slice(inputs.weight!, [id, 0], [1, width]).flatten();
      return tf.slice(tf.transpose(matrixOf(weightOf(kind, width, vocab, inputs))), [id, 0], [1, width]).flatten();
    },
  };
}
