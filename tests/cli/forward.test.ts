import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { fixture, runJson } from './run-cli.ts';

function floats({ bytes }: LoadedTensor): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

it('nvlm forward writes the reference logits and image features', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-forward-'));
  try {
    const model = fixture('goldens/nvlm-h');
    const output = join(folder, 'new', 'out.safetensors');
    const inputs = join(model, 'forward', '0.inputs.safetensors');
    const forward = ['forward', '--model', model, '--inputs', inputs, '--backend', 'wasm'];
    const { code, document } = await runJson([...forward, '--threads', '1', '--output', output]);
    expect(code).toBe(0);
    // Threads change no bit.
    const onTwo = join(folder, 'two.safetensors');
    expect((await runJson([...forward, '--threads', '2', '--output', onTwo])).code).toBe(0);
    expect((await readFile(onTwo)).equals(await readFile(output))).toBe(true);
    const read = async (path: string) => parseSafetensors(await readFile(path), path);
    const [got, expected] = [await read(output), await read(join(model, 'forward', '0.outputs.safetensors'))];
    expect([...got.keys()].sort()).toEqual(['image_features', 'logits']);
    for (const [name, reference] of expected) {
      const tensor = got.get(name)!;
      expect(tensor.shape).toEqual(reference.shape);
      const [values, wanted] = [floats(tensor), floats(reference)];
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const wrong = wanted.findIndex((value, i) => !(Math.abs(value - values[i]!) < 2e-5 * largest));
      expect(wrong, `${name}, first wrong element`).toBe(-1);
    }
    expect(document).toEqual({
      tokens: got.get('logits')!.shape[0],
      backend: 'wasm',
      adapter: null,
      ms: expect.any(Number),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
