import { describe, expect, it } from 'vitest';
import type { MemoryPlan } from '../../src/engine/api.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

describe('nvlm plan', () => {
  it('says what a model needs and that it fits', async () => {
    const args = ['plan', '--model', fixture('goldens/nvlm-d'), '--backend', 'wasm', '--context', '64'];
    const { code, document } = await runJson<MemoryPlan>(args);
    expect(code).toBe(0);
    expect(document).toMatchObject({ backend: 'wasm', verdict: 'fits', settings: { contextLength: 64 }, problems: [] });
    const { weights, kvCache, activations, total } = document.bytes;
    expect(weights + kvCache + activations).toBe(total);
    expect(weights).toBeGreaterThan(document.download / 2);
    const text = await runCli(args);
    expect(text.stdout).toContain('fits');
    expect(text.stdout).toContain('KV cache of 64 tokens');
  });

  it('fails with the usage where no model is named', async () => {
    expect((await runJson(['plan'])).code).toBe(2);
  });
});

it('says when a whole file is read and the shards of an index are not, to people and in the document', async () => {
  const { code, document, stderr } = await runJson<{ warnings: string[] }>(['plan', '--model', fixture('cases/staleindex')]);
  expect(code).toBe(0);
  expect(document.warnings).toEqual([expect.stringContaining('model.safetensors is read')]);
  expect(stderr).toContain(document.warnings[0]);
});
