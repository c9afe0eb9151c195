import type { GpuAdapterDescription, BackendName } from '../../src/device/types.ts';
import { makeReports, type Measurement } from '../../src/headless/bench-report.ts';
import { median } from '../../src/numbers/median.ts';

/** What one side takes for one sample: ms on the clock, and of this process's processor time. */
export interface Sample {
  ms: number;
  cpuMs: number;
}

export async function timed(work: () => Promise<unknown>, units = 1): Promise<Sample> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: (performance.now() - start) / units, cpuMs: (user + system) / 1000 / units };
}

/** One row: nvlm and a peer at the same task. */
export interface Pair {
  row: string;
  /** `ms a token`, `ms` … of both sides. */
  unit: string;
  /** Names of the sides; the first is nvlm's. */
  sides: [string, string];
  work: [() => Promise<Sample>, () => Promise<Sample>];
}

/**
 * Measures pairs in turn, nvlm first in one run and the peer in the next, so that a machine that is busy for a while is so for both;
 * one run of each goes before. Prints one JSON document: samples of both, and how many times faster nvlm is (medians).
 */
export async function measurePairs(
  pairs: readonly Pair[],
  runs: number,
  where: { adapter: GpuAdapterDescription | null; backend: BackendName; runtime?: string },
  /** Measured when all runs are over. */
  after: () => Measurement[] = () => [],
): Promise<void> {
  const samples = pairs.map((): [Sample[], Sample[]] => [[], []]);
  for (let run = -1; run < runs; run++) {
    for (const [i, { row, work }] of pairs.entries()) {
      for (const side of (run % 2 ? [0, 1] : [1, 0]) as (0 | 1)[]) {
        const sample = await work[side]();
        if (run >= 0) samples[i]![side].push(sample);
      }
      process.stderr.write(`run ${run + 1} of ${runs}: ${row}\n`);
    }
  }
  const rows = pairs.flatMap(({ row, unit, sides }, i): Measurement[] => {
    const of = (name: string, inUnit: string, values: number[]): Measurement => ({
      name: `${row}: ${name}`,
      unit: inUnit,
      samples: values,
      ...where,
    });
    const ratio = (key: keyof Sample) =>
      median(samples[i]![1].map((sample) => sample[key])) / median(samples[i]![0].map((sample) => sample[key]));
    return [
      ...sides.flatMap((side, n) => [
        of(
          side,
          unit,
          samples[i]![n]!.map(({ ms }) => ms),
        ),
        of(
          `${side}, processor time`,
          unit,
          samples[i]![n]!.map(({ cpuMs }) => cpuMs),
        ),
      ]),
      of(`times as fast as ${sides[1]}`, '×', [ratio('ms')]),
      of(`times as fast as ${sides[1]}, processor time`, '×', [ratio('cpuMs')]),
    ];
  });
  process.stdout.write(`${JSON.stringify(makeReports([...rows, ...after()]), null, 2)}\n`);
}
