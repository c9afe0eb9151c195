import { describe, expect, it } from 'vitest';
import type { PlainError } from '../../src/errors.ts';
import type { BenchmarkReport } from '../../src/headless/bench-report.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

const golden = fixture('goldens/nvlm-d');
const model = (...args: string[]) => ['bench', '--model', golden, '--backend', 'wasm', '--new-tokens', '3', ...args];

describe('nvlm bench', () => {
  it('measures every stage of an answer, and tells on what', async () => {
    const { code, document } = await runJson<BenchmarkReport[]>(model('--runs', '2', '--max-tiles', '2'));
    expect(code).toBe(0);
    const stages = document.map(({ name, unit, samples }) => [name.replace(`${golden}: `, ''), unit, samples.length]);
    expect(stages).toEqual([
      ['load', 'ms', 1],
      ['load', 'MB/s', 1],
      ['tiling and vision encoder, 3 tiles', 'ms', 2],
      [expect.stringMatching(/^prefill, \d+ tokens$/), 'ms', 2],
      [expect.stringMatching(/^prefill, \d+ tokens$/), 'tokens/s', 2],
      ['decode, 3 tokens', 'tokens/s', 2],
      ['peak memory on the device', 'MB', 1],
      ['planned memory', 'MB', 1],
      ['peak resident memory of the process', 'MB', 1],
    ]);
    for (const { backend, adapter, samples, median, commit, runtime } of document) {
      expect({ backend, adapter, runtime }).toEqual({ backend: 'wasm', adapter: null, runtime: `Node.js ${process.versions.node}` });
      expect(Math.min(...samples)).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(Math.min(...samples));
      expect(commit).not.toBeUndefined();
    }
  });

  it('counts what a decoded token costs', async () => {
    const { code, document } = await runJson<BenchmarkReport[]>(model('--runs', '1', '--max-tiles', '1', '--counts'));
    expect(code).toBe(0);
    const figure = (words: string) => document.find(({ name }) => name.endsWith(words))!.median;
    // Three layers of a few kernels each; one row of logits comes back, and little more than an id and its place goes in.
    expect(figure('dispatches a token')).toBeGreaterThan(20);
    expect(figure('dispatches a token')).toBeLessThan(200);
    expect(figure('submits a token')).toBe(0);
    expect(figure('bytes written a token')).toBeLessThan(100);
    expect(figure('bytes read a token')).toBeGreaterThanOrEqual(4);
    expect(figure('JavaScript a token')).toBeGreaterThan(0);
    expect(figure('once an answer')).toBeGreaterThan(0);
  });

  it('measures weights that stay on disk, in words', async () => {
    const { code, stdout } = await runCli(model('--runs', '1', '--warm-ups', '0', '--offload', '--device-budget', '8MB'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/decode, 3 tokens +\S+ +tokens\/s/);
    expect(stdout).toContain('on wasm');
    expect(stdout).not.toMatch(/planned memory|: load/);
  });

  it('refuses to take no samples', async () => {
    const { code, document } = await runJson<{ error: PlainError }>(model('--runs', '0'));
    expect(code).toBe(2);
    expect(document.error.message).toMatch(/a whole number, 1 to/i);
  });
});
