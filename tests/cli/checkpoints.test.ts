/** Checkpoints other than the bundled ones, through the command line. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlainError } from '../../src/errors.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { fixture, runJson } from './run-cli.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-checkpoints-'));
});
afterEach(() => rm(folder, { recursive: true }));

const model = fixture('goldens/text/llama');

async function logits(path: string): Promise<Float32Array> {
  return new Float32Array(
    parseSafetensors(await readFile(path), path)
      .get('logits')!
      .bytes.slice().buffer,
  );
}

it('--quantize packs while loading: the logits move, the less the more bits', async () => {
  const expected = await logits(join(model, 'forward/0.outputs.safetensors'));
  const errorAt = async (bits: string) => {
    const output = join(folder, `${bits}.safetensors`);
    const inputs = join(model, 'forward/0.inputs.safetensors');
    const args = ['forward', '--model', model, '--inputs', inputs, '--output', output, '--backend', 'wasm'];
    const { code } = await runJson([...args, '--quantize', bits, '--group-size', '32']);
    expect(code).toBe(0);
    const got = await logits(output);
    return got.reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0) / got.length;
  };
  const [four, eight] = [await errorAt('4'), await errorAt('8')];
  expect(eight).toBeGreaterThan(0);
  expect(four).toBeGreaterThan(4 * eight);
});

it('--offload computes within a budget what the loaded model computes, and says when the budget is too small', async () => {
  const output = join(folder, 'offloaded.safetensors');
  const inputs = join(model, 'forward/0.inputs.safetensors');
  const args = ['forward', '--model', model, '--inputs', inputs, '--output', output, '--backend', 'wasm', '--offload'];
  const { code } = await runJson([...args, '--device-budget', '5.3mb']);
  expect(code).toBe(0);
  const [got, expected] = [await logits(output), await logits(join(model, 'forward/0.outputs.safetensors'))];
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)).toBeLessThan(2e-5 * largest);
  const small = await runJson<{ error: PlainError }>([...args, '--device-budget', '0.1MB']);
  expect([small.code, small.document.error.code]).toEqual([1, 'out-of-memory']);
  expect(small.document.error.fix).toContain('--device-budget');
});

describe('what users get wrong', () => {
  it.each([
    ['a group size alone', ['chat', '--prompt', 'Hi', '--group-size', '64'], /--quantize is missing/],
    ['bits there are not', ['chat', '--prompt', 'Hi', '--quantize', '5'], /Give 4 or 8/],
    ['a model there is not', ['synth', '--like', 'gpt-5', '--out', 'x'], /nvlm-d-72b/],
    ['no shapes', ['synth', '--out', 'x'], /--like is missing/],
  ])('%s', async (_, args, message) => {
    const { code, document } = await runJson<{ error: PlainError }>(args);
    expect(code).toBe(2);
    expect(document.error.message).toMatch(message);
  });

  it('a folder with something in it is not written into', async () => {
    await writeFile(join(folder, 'mine.txt'), 'keep');
    const { code, document } = await runJson<{ error: PlainError }>(['synth', '--like', 'internvl2_5-1b', '--out', folder]);
    expect([code, document.error.code]).toEqual([2, 'usage']);
    expect(await readdir(folder)).toEqual(['mine.txt']);
  });
});
