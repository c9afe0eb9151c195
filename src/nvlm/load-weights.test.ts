import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import type { Device } from '../device/types.ts';
import { unpackHalves } from '../ops/half.ts';
import { f32ToBf16 } from '../weights/dtype.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { DType } from '../weights/dtype.ts';
import type { TensorEntry } from '../weights/safetensors.ts';
import { parseConfig } from './config.ts';
import { loadWeights, type QuantizeOptions } from './load-weights.ts';
import { DenseSink, type ParameterValues } from './parameter-sinks.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('cpu');
});
afterAll(() => device.dispose());

function entry(name: string, dtype: DType, shape: number[], bytes: number): TensorEntry {
  return { name, dtype, shape, file: 'model.safetensors', start: 0, end: bytes };
}

function dense(dtype: DType, words: Uint16Array): ParameterValues {
  const source = entry('w', dtype, [1, words.length], words.byteLength);
  const sink = new DenseSink([source], true);
  sink.add(source, 0, new Uint8Array(words.buffer));
  return sink.finish();
}

describe('half-precision matrices', () => {
  it('become f16 where bf16 fits, and f32 where it does not', () => {
    const fits = dense('BF16', f32ToBf16(Float32Array.of(1.5, -65280, 2 ** -14)));
    expect(fits.kind === 'f16' && [...unpackHalves(new Int32Array(new Uint16Array([...fits.bits, 0]).buffer), 1, 3)]).toEqual([
      1.5, -65280, 2 ** -14,
    ]);
    expect(dense('BF16', f32ToBf16(Float32Array.of(1.5, -65536)))).toMatchObject({ kind: 'f32', values: Float32Array.of(1.5, -65536) });
  });

  it.each([
    ['BF16', 0x7f80],
    ['BF16', 0xffc0],
    ['F16', 0x7c00],
    ['F16', 0xfe00],
  ] as const)('of %s are refused with a value that is not finite', (dtype, word) => {
    expect(() => dense(dtype, Uint16Array.of(0, word))).toThrow(/w holds values that are not finite/);
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
      const error = tf.tidy(() => restored.linear(name).data.sub(exact.linear(name).data).abs().max().dataSync()[0]!);
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
