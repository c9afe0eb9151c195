import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingPlan } from '../../src/engine/runs/training-api.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

interface TrainDocument {
  steps: number;
  resumedFrom: number;
  loss: number;
  parameters: number;
  interrupted: boolean;
  out: string;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-train-'));
});
afterAll(() => rm(folder, { recursive: true }));

const model = fixture('goldens/nvlm-d');
const lora = join(model, 'lora.run.json');

async function lossesIn(out: string): Promise<number[]> {
  const text = await readFile(join(out, 'log.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { loss: number }).loss);
}

async function runFile(name: string, changes: object): Promise<string> {
  const run = JSON.parse(await readFile(lora, 'utf8')) as object;
  const file = join(folder, name);
  await writeFile(file, JSON.stringify({ ...run, model, data: fixture('goldens/data'), lora: undefined, ...changes }));
  return file;
}

describe('nvlm train', () => {
  it('trains an adapter that chat, forward and eval take', async () => {
    const out = join(folder, 'adapter');
    const { code, document } = await runJson<TrainDocument>(['train', '--config', lora, '--out', out, '--steps', '3', '--backend', 'wasm']);
    expect(code).toBe(0);
    expect(document).toMatchObject({ steps: 3, resumedFrom: 0, interrupted: false, parameters: 16384 });
    expect(await lossesIn(out)).toHaveLength(3);

    const inputs = join(model, 'forward', '0.inputs.safetensors');
    const forward = (...more: string[]) =>
      runJson([
        'forward',
        '--model',
        model,
        '--inputs',
        inputs,
        '--output',
        join(folder, `${more.length}.safetensors`),
        ...more,
        '--backend',
        'wasm',
      ]);
    const [plain, tuned] = await Promise.all([forward(), forward('--adapter', out)]);
    expect([plain.code, tuned.code]).toEqual([0, 0]);
    const [a, b] = await Promise.all([readFile(join(folder, '0.safetensors')), readFile(join(folder, '2.safetensors'))]);
    expect(a.length).toBe(b.length);
    expect(a.equals(b)).toBe(false);

    const chat = ['chat', '--model', model, '--adapter', out, '--prompt', 'Read the code 66', '--max-new-tokens', '2', '--backend', 'wasm'];
    expect((await runJson(chat)).code).toBe(0);
    const missing = await runCli([...chat, '--adapter', join(folder, 'nowhere')]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('adapter_config.json');
  });

  it('leaves a resumable checkpoint at Ctrl-C and goes on with the same losses', async () => {
    const run = await runFile('stopped.json', { stage: 'pretrain', steps: 12, shuffle: true, seed: 3, out: 'stopped' });
    const out = join(folder, 'stopped');
    const whole = join(folder, 'whole');
    const args = (...more: string[]) => ['train', '--config', run, '--backend', 'wasm', ...more];
    expect((await runCli(args('--out', whole))).code).toBe(0);

    const stopped = await runCli(args(), {
      onStart: (child) => {
        const watch = setInterval(() => {
          void lossesIn(out).then(
            (losses) => {
              // Once: a second Ctrl-C does not wait for the checkpoint.
              if (losses.length >= 3 && !child.killed) child.kill('SIGINT');
            },
            () => undefined,
          );
        }, 20);
        child.on('close', () => clearInterval(watch));
      },
    });
    expect(stopped.code).toBe(130);
    const done = (await lossesIn(out)).length;
    expect(done).toBeGreaterThanOrEqual(3);
    expect(done).toBeLessThan(12);

    const refused = await runCli(args());
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--resume');
    const { code, document } = await runJson<TrainDocument>(args('--resume'));
    expect(code).toBe(0);
    expect(document).toMatchObject({ steps: 12, resumedFrom: done });
    expect(await lossesIn(out)).toEqual(await lossesIn(whole));

    // The tuned model is a folder that every command takes.
    const files = await Promise.all([out, whole].map((run) => readFile(join(run, 'model', 'model.safetensors'))));
    expect(files[0]!.equals(files[1]!)).toBe(true);
    expect(files[0]!.equals(await readFile(join(model, 'model.safetensors')))).toBe(false);
    const chat = ['chat', '--model', join(out, 'model'), '--prompt', 'Read the code 66', '--max-new-tokens', '2', '--backend', 'wasm'];
    expect((await runJson(chat)).code).toBe(0);
  });

  it('plans a run, its blend included, and trains nothing', async () => {
    const long = 'word '.repeat(300);
    const conversations = [
      { from: 'human', value: long },
      { from: 'gpt', value: 'b' },
    ];
    await writeFile(join(folder, 'long.json'), JSON.stringify([{ id: 'long', conversations }]));
    const run = await runFile('planned.json', { stage: 'sft', steps: 2, out: 'planned' });
    const blended = await runFile('blended.json', { stage: 'sft', steps: 2, blend: { data: 'long.json', ratio: 0.5 } });
    const plan = (file: string) => runJson<TrainingPlan>(['train', '--config', file, '--plan', '--backend', 'wasm']);
    const [plain, more] = await Promise.all([plan(run), plan(blended)]);
    expect([plain.code, more.code]).toEqual([0, 0]);
    const { weights, optimizer, activations, total } = plain.document;
    expect(plain.document).toMatchObject({ backend: 'wasm', verdict: 'fits', problems: [], changes: null });
    expect(weights + optimizer + activations).toBe(total);
    expect(more.document.longest).toBeGreaterThan(plain.document.longest);
    expect(more.document.activations).toBeGreaterThan(activations);
    await expect(readdir(join(folder, 'planned'))).rejects.toThrow('ENOENT');
    const { stdout } = await runCli(['train', '--config', run, '--plan', '--backend', 'wasm']);
    expect(stdout).toContain('optimiser');
  });

  it('says what is wrong with a run file, and with the data, before it starts', async () => {
    const refuse = async (changes: object, ...args: string[]) => {
      const run = await runFile('bad.json', { out: 'bad', ...changes });
      return runCli(['train', '--config', run, '--backend', 'cpu', ...args]);
    };
    const unknown = await refuse({ stepz: 3 });
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('no key "stepz"') as string });
    const rank = await refuse({ lora: { rank: 0 } });
    expect(rank).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"rank" is not a number from 1 to 1024') as string,
    });
    const packed = await refuse({ quantize: { bits: 4 } });
    expect(packed).toMatchObject({ code: 2, stderr: expect.stringContaining('Add "lora"') as string });
    const target = await refuse({ lora: { targets: ['attn.qkv'] } });
    expect(target).toMatchObject({ code: 2, stderr: expect.stringContaining('"attn.qkv" fits no linear') as string });
    const data = await refuse({ data: 'nowhere.json' });
    expect(data).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere.json') as string });
    await writeFile(join(folder, 'broken.json'), '{');
    const broken = await runCli(['train', '--config', join(folder, 'broken.json')]);
    expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining('is not JSON') as string });
    expect((await runCli(['train'])).stderr).toContain('--config');
  });
});
