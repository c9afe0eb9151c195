import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import type { Device } from '../device/types.ts';
import { unpackHalves } from '../numbers/half.ts';
import { f32ToBf16 } from '../weights/dtype.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { DType } from '../weights/dtype.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { parseConfig } from './parse-config.ts';
import { loadWeights, type QuantizeOptions } from './load-weights.ts';
import { floatRows } from './matrix-targets.ts';
import { parameterSpecs } from './names.ts';
import { inOnePiece } from './weights.ts';
import type { PlainWeight } from '../ops/types.ts';
import { DenseSink, type HeldParameter } from './parameter-sinks.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('cpu');
});
afterAll(() => device.dispose());

/** A matrix of one row through a sink, in two pieces. */
function dense(dtype: DType, words: Uint16Array): HeldParameter | null {
  const source: TensorEntry = { name: 'w', dtype, shape: [2, words.length], file: 'f', start: 0, end: 2 * words.byteLength };
  const sink = new DenseSink([source], null, true, floatRows);
  try {
    sink.add(source, 0, new Uint8Array(new Uint16Array(words.length).buffer));
    sink.add(source, words.byteLength, new Uint8Array(words.buffer));
    return sink.finish();
  } catch (error) {
    sink.dispose();
    throw error;
  }
}

describe('half-precision matrices', () => {
  it('become f16 where bf16 fits', () => {
    const held = dense('BF16', f32ToBf16(Float32Array.of(1.5, -65280, 2 ** -14)));
    if (held?.kind !== 'f16') throw new Error('not halves');
    expect([...unpackHalves(held.data.dataSync(), 2, 3)]).toEqual([0, 0, 0, 1.5, -65280, 2 ** -14]);
    held.data.dispose();
  });

  it('with a value that f16 cannot hold are read again as f32, and nothing is left of the halves', async () => {
    const before = tf.memory().numTensors;
    const name = 'language_model.model.layers.0.mlp.up_proj';
    const files = nodeFiles(goldenFolder('internvl'));
    const { start, file } = (await openModelFolder(files)).tensors.get(`${name}.weight`)!;
    const folder = await openModelFolder({
      ...files,
      async read(path, from, to, signal) {
        const bytes = await files.read(path, from, to, signal);
        // 65536 in bf16, as the matrix's second value.
        if (path === file && from <= start && to >= start + 4) bytes.set([0x80, 0x47], start + 2 - from);
        return bytes;
      },
    });
    const config = parseConfig(folder.config);
    const weights = await loadWeights(folder, config, { keepHalves: true });
    const held = inOnePiece(name, weights.linear(name));
    expect(held.kind).toBe('f32');
    expect(held.data.dataSync()[held.outFeatures]).toBe(65536);
    expect(weights.linear(name.replace('up', 'gate')).kind).toBe('f16');
    expect(weights.linears.size + weights.embeddings.size + weights.vectors.size).toBeGreaterThan(parameterSpecs(config).length - 1);
    weights.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['BF16', 0x7f80],
    ['BF16', 0xffc0],
    ['F16', 0x7c00],
    ['F16', 0xfe00],
  ] as const)('of %s are refused with a value that is not finite', (dtype, word) => {
    const before = tf.memory().numTensors;
    expect(() => dense(dtype, Uint16Array.of(0, word))).toThrow(/w holds values that are not finite/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('quantising while loading', () => {
  const load = async (name: string, keepHalves: boolean, quantize?: QuantizeOptions) => {
    const folder = await openModelFolder(nodeFiles(goldenFolder(name)));
    return loadWeights(folder, parseConfig(folder.config), { keepHalves, quantize });
  };

  it('packs the language model, halves the error with every bit, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const exact = await load('text/qwen2', false);
    const name = 'model.layers.1.mlp.down_proj';
    const errorAt = async (bits: 4 | 8) => {
      const packed = await load('text/qwen2', true, { bits, groupSize: 32 });
      const weight = packed.linear(name);
      expect(weight).toMatchObject({ kind: 'affine', bits, groupSize: 32 });
      expect(packed.embedding('model.embed_tokens.weight').kind).toBe('affine');
      expect(packed.bytes).toBeLessThan((exact.bytes / 32) * (bits + 4));
      const restored = await load('text/qwen2', false, { bits, groupSize: 32 });
      const error = tf.tidy(
        () =>
          (restored.linear(name) as PlainWeight).data
            .sub((exact.linear(name) as PlainWeight).data)
            .abs()
            .max()
            .dataSync()[0]!,
      );
      packed.dispose();
      restored.dispose();
      return error;
    };
    const [four, eight] = [await errorAt(4), await errorAt(8)];
    expect(eight).toBeGreaterThan(0);
    expect(four / eight).toBeGreaterThan(10);
    exact.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses what is quantised already', async () => {
    await expect(load('text/qwen2-affine-4bit-g32', false, { bits: 4, groupSize: 32 })).rejects.toMatchObject({ code: 'usage' });
  });
});
