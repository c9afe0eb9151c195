/** `nvlm export` end to end: what it writes is the checkpoint that it read, or that one with an adapter in it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

const inputs = fixture('goldens/nvlm-d/forward/0.inputs.safetensors');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-export-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function logits(model: string, adapters: string[] = [], options: string[] = []): Promise<Float32Array> {
  const output = join(folder, 'outputs.safetensors');
  const args = adapters.flatMap((adapter) => ['--adapter', adapter]);
  const { code, stderr } = await runCli([
    'forward',
    '--backend',
    'wasm',
    '--model',
    model,
    '--inputs',
    inputs,
    '--output',
    output,
    ...args,
    ...options,
  ]);
  expect(code, stderr).toBe(0);
  return new Float32Array(
    parseSafetensors(await readFile(output), output)
      .get('logits')!
      .bytes.slice().buffer,
  );
}

function worst(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  let apart = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(b[i]!));
    apart = Math.max(apart, Math.abs(a[i]! - b[i]!));
  }
  return apart / largest;
}

describe('nvlm export', () => {
  it('writes a sharded model again, byte for byte, README and all', async () => {
    const source = fixture('goldens/nvlm-d-72b-layout');
    const out = join(folder, 'copy');
    const { code, document } = await runJson<{ changed: number; bytes: number }>(['export', '--model', source, '--out', out]);
    expect({ code, changed: document.changed }).toEqual({ code: 0, changed: 0 });
    const files = (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isFile());
    expect((await readdir(out)).sort()).toEqual(files.map(({ name }) => name).sort());
    for (const { name } of files) expect((await readFile(join(out, name))).equals(await readFile(join(source, name)))).toBe(true);

    const again = await runCli(['export', '--model', source, '--out', out]);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--force');
    const onto = await runCli(['export', '--model', out, '--out', out, '--force']);
    expect(onto.stderr).toContain("model's own folder");
  });

  it('merges adapters at their strengths, so that the model answers as with them', async () => {
    const model = fixture('goldens/nvlm-d');
    const [one, other] = [fixture('goldens/nvlm-d/lora.final'), `${fixture('goldens/nvlm-d/lora.start')}:0.5`];
    const out = join(folder, 'merged');
    const args = ['export', '--model', model, '--adapter', one, '--adapter', other, '--out', out];
    const { code, document } = await runJson<{ changed: number }>(args);
    expect(code).toBe(0);
    expect(document.changed).toBeGreaterThan(8);
    const merged = await logits(out);
    // Weights that stay on disk take adapters too.
    expect(worst(merged, await logits(model, [one, other], ['--offload']))).toBeLessThan(1e-3);
    expect(worst(merged, await logits(model, [`${one}:0`]))).toBeGreaterThan(0.05);
  });

  it('says what is wrong with a strength, and with an adapter of another model', async () => {
    const model = fixture('goldens/nvlm-d');
    const adapter = fixture('goldens/nvlm-h/lora.final');
    const out = join(folder, 'none');
    const strong = await runCli(['export', '--model', model, '--adapter', `${adapter}:3`, '--out', out]);
    expect(strong.code).toBe(2);
    expect(strong.stderr).toContain('no strength');
    const foreign = await runCli(['export', '--model', model, '--adapter', adapter, '--out', out]);
    expect(foreign.code).toBe(1);
    expect(foreign.stderr).toContain('this model has not got');
    await expect(readdir(out)).rejects.toThrow('ENOENT');
    await writeFile(join(folder, 'x:0.5'), '');
    const file = await runCli(['export', '--model', model, '--adapter', join(folder, 'x:0.5'), '--out', out]);
    expect(file.stderr).toContain('x:0.5');
  });
});
