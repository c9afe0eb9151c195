import { execFileSync } from 'node:child_process';
import os from 'node:os';
import type { AdapterDescription, BackendName } from '../src/device/types.ts';

/** The one form in which every benchmark prints its result. */
export interface BenchmarkReport {
  name: string;
  /** null off WebGPU */
  adapter: AdapterDescription | null;
  backend: BackendName;
  /** In the order in which they were measured, after the warm-up. */
  samples: number[];
  median: number;
  unit: string;
  /** Of the code that was measured; ends in `-dirty` with changes that are not committed; null outside a checkout. */
  commit: string | null;
  /** What ran it: `Node.js 20.20.2`, or the browser's user agent. */
  runtime: string;
  cpu: { model: string; cores: number };
  date: string;
}

export interface Measurement {
  name: string;
  adapter: AdapterDescription | null;
  backend: BackendName;
  unit: string;
  samples: number[];
  /** Where it was measured, when that is not this process. */
  runtime?: string;
}

/** Runs `measure` `warmups` times for nothing and then `count` times; each run gives one sample in the caller's unit. */
export async function sample(count: number, measure: () => number | Promise<number>, warmups = 1): Promise<number[]> {
  for (let run = 0; run < warmups; run++) await measure();
  const samples: number[] = [];
  for (let run = 0; run < count; run++) samples.push(await measure());
  return samples;
}

/** Milliseconds that `work` takes. */
export async function milliseconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** @throws RangeError without samples */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new RangeError('a median needs at least one sample');
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function makeReport({ name, adapter, backend, unit, samples, runtime }: Measurement): BenchmarkReport {
  const cpus = os.cpus();
  return {
    name,
    adapter,
    backend,
    samples,
    median: median(samples),
    unit,
    commit: currentCommit(),
    runtime: runtime ?? `Node.js ${process.versions.node}`,
    cpu: { model: cpus[0]?.model ?? 'unknown', cores: cpus.length },
    date: new Date().toISOString(),
  };
}

/** One JSON document on stdout, nothing else: a report, or a list of them when one run measures several things. */
export function printReport(...measurements: Measurement[]): void {
  const reports = measurements.map(makeReport);
  process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
}

function currentCommit(): string | null {
  try {
    const commit = git('rev-parse', 'HEAD').trim();
    return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}-dirty`;
  } catch {
    return null;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
