import { execFileSync } from 'node:child_process';
import os from 'node:os';
import type { GpuAdapterDescription, BackendName } from '../device/types.ts';
import { median } from '../numbers/median.ts';

/** The one form in which every benchmark tells its result. */
export interface BenchmarkReport {
  name: string;
  /** null off WebGPU */
  adapter: GpuAdapterDescription | null;
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
  adapter: GpuAdapterDescription | null;
  backend: BackendName;
  unit: string;
  samples: number[];
  /** Where it was measured, when that is not this process. */
  runtime?: string;
}

/** What was measured together, of one commit and at one time. */
export function makeReports(measurements: readonly Measurement[]): BenchmarkReport[] {
  const cpus = os.cpus();
  const about = {
    commit: currentCommit(),
    cpu: { model: cpus[0]?.model ?? 'unknown', cores: cpus.length },
    date: new Date().toISOString(),
  };
  return measurements.map(({ name, adapter, backend, unit, samples, runtime }) => ({
    name,
    adapter,
    backend,
    samples,
    median: median(samples),
    unit,
    runtime: runtime ?? `Node.js ${process.versions.node}`,
    ...about,
  }));
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
