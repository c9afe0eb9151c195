/**
 * Every custom op against PyTorch (tests/references/ops.py): result and gradients. The op cases in src/ops hold the WebGPU programs to
 * references written in this project; here these references, which cpu and wasm compute with, are held to somebody else's numbers.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { adamW } from '../../src/ops/adamw/adamw.ts';
import { attention } from '../../src/ops/attention/attention.ts';
import { crossAttention } from '../../src/ops/cross-attention/cross-attention.ts';
import { crossEntropy } from '../../src/ops/cross-entropy/cross-entropy.ts';
import { embed } from '../../src/ops/embed/embed.ts';
import { gelu } from '../../src/ops/gelu/gelu.ts';
import { layerNorm } from '../../src/ops/layer-norm/layer-norm.ts';
import { linear } from '../../src/ops/linear/linear.ts';
import { rmsNorm } from '../../src/ops/rms-norm/rms-norm.ts';
import { rope } from '../../src/ops/rope/rope.ts';
import { swiglu } from '../../src/ops/swiglu/swiglu.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { forEachBackend } from '../support/op-cases.ts';

/** Inputs by name; of whatever rank their op wants. */
type Inputs = Record<string, any>;
type Compute = (inputs: Inputs) => tf.Tensor;

/** Largest difference over the largest value; single precision leaves a third of it. */
const BOUND = 3e-6;
const EPS = 0.05;

const affine =
  (bits: 4 | 8): Compute =>
  ({ x, weight, scales, biases, bias }) =>
    linear(x, { kind: 'affine', bits, groupSize: 32, inFeatures: 64, outFeatures: 8, data: weight, scales, biases }, bias);
const linearF32: Compute = ({ x, weight, bias }) => linear(x, { kind: 'f32', inFeatures: 33, outFeatures: 7, data: weight }, bias);
const linearF16: Compute = ({ x, weight, bias }) => linear(x, { kind: 'f16', inFeatures: 34, outFeatures: 7, data: weight }, bias);
const heads = { heads: 4, kvHeads: 2 };
const attend: Compute = ({ q, k, v, starts, keyMask }) => attention(q, k, v, { ...heads, causal: true, starts, keyMask });
const crossAttend: Compute = ({ q, k, v, rowTiles, keyTiles }) => crossAttention(q, k, v, { ...heads, rowTiles, keyTiles });

/** 3 or 2 rows take the programs for few rows, 21 or 19 the tiled ones. */
const OPS: Record<string, Compute> = {
  'linear-f32-3': linearF32,
  'linear-f32-21': linearF32,
  'linear-f16-3': linearF16,
  'linear-f16-21': linearF16,
  'linear-affine4-3': affine(4),
  'linear-affine4-21': affine(4),
  'linear-affine8-3': affine(8),
  'linear-affine8-21': affine(8),
  rmsNorm: ({ x, weight }) => rmsNorm(x, weight, EPS),
  layerNorm: ({ x, weight, bias }) => layerNorm(x, weight, bias, EPS),
  gelu: ({ x }) => gelu(x),
  swiglu: ({ gate, up }) => swiglu(gate, up),
  rope: ({ x, positions, frequencies }) => rope(x, positions, frequencies, 3),
  'attention-2': attend,
  'attention-19': attend,
  'crossAttention-2': crossAttend,
  'crossAttention-19': crossAttend,
  embed: ({ ids, table, visual, slots }) => embed(ids, { kind: 'f32', vocab: 5, width: 9, data: table }, visual, slots),
  crossEntropy: ({ logits, labels }) => crossEntropy(logits, labels).rowLosses,
};

const file = fileURLToPath(new URL('../fixtures/ops/torch.safetensors', import.meta.url));
const stored = parseSafetensors(readFileSync(file), file);

/** The tensors of one case by what they are. */
function tensorsOf(name: string): Map<string, { shape: number[]; values: Float32Array | Int32Array }> {
  const found = [...stored].filter(([key]) => key.startsWith(`${name}/`));
  return new Map(
    found.map(([key, { bytes, shape, dtype }]) => {
      const buffer = bytes.slice().buffer;
      return [
        key.slice(name.length + 1),
        { shape: [...shape], values: dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer) },
      ];
    }),
  );
}

function distance(got: Float32Array, expected: Float32Array): number {
  expect(got.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  // `Math.max` hands a NaN on.
  return got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0) / largest;
}

test('the fixture has every case and no other', () => {
  expect(new Set([...stored.keys()].map((key) => key.split('/')[0]))).toEqual(new Set([...Object.keys(OPS), 'adamW']));
});

forEachBackend(
  (_, device) => {
    test.each(Object.entries(OPS))('%s equals PyTorch, gradients too', async (name, compute) => {
      const given = tensorsOf(name);
      const trained = [...given.keys()].filter((key) => given.has(`grad.${key}`));
      const results = tf.tidy(() => {
        const inputs: Inputs = Object.fromEntries(
          [...given].map(([key, { shape, values }]) => [key, tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32')]),
        );
        const sum = (...xs: tf.Tensor[]) => {
          const moved = Object.fromEntries(trained.map((key, i) => [key, xs[i]!]));
          return compute({ ...inputs, ...moved })
            .mul(inputs['dy'] as tf.Tensor)
            .sum() as tf.Scalar;
        };
        return [compute(inputs), ...tf.grads(sum)(trained.map((key) => inputs[key] as tf.Tensor))];
      });
      for (const [i, key] of ['y', ...trained.map((key) => `grad.${key}`)].entries()) {
        const expected = given.get(key)!.values as Float32Array;
        expect(distance(await device().read(results[i]!), expected), key).toBeLessThan(BOUND);
      }
      tf.dispose(results);
    });

    test('adamW equals PyTorch, step for step', async () => {
      const given = tensorsOf('adamW');
      const shape = given.get('start')!.shape;
      const tensorOf = (key: string) => tf.tensor(given.get(key)!.values, shape);
      const tensors = { value: tf.variable(tensorOf('start')), first: tf.variable(tf.zeros(shape)), second: tf.variable(tf.zeros(shape)) };
      for (let step = 0; step < 3; step++) {
        const options = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0.1, gradientScale: 1 };
        adamW(tensors, tensorOf(`gradient.${step}`), { ...options, count: step + 1 });
        expect(distance(await device().read(tensors.value), given.get(`value.${step}`)!.values as Float32Array)).toBeLessThan(BOUND);
      }
      tf.dispose([tensors.value, tensors.first, tensors.second]);
    });
  },
  ['cpu', 'wasm'],
);
