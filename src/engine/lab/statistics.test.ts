import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval, meanInterval, type Interval } from './statistics.ts';

type Case<T> = T & Interval;
const scipy = JSON.parse(readFileSync(new URL('../../../tests/fixtures/lab/scipy-intervals.json', import.meta.url), 'utf8')) as {
  intervals: Case<{ values: number[] }>[];
  paired: Case<{ reference: number[]; values: number[] }>[];
  bootstrap: Case<{ rows: number[][] }>[];
};

function expectClose(got: Interval, wanted: Interval, bound: number): void {
  for (const key of ['mean', 'low', 'high'] as const) expect(Math.abs(got[key] - wanted[key]), key).toBeLessThan(bound);
}

describe('intervals are those of scipy', () => {
  it('of a mean over seeds', () => {
    for (const { values, ...wanted } of scipy.intervals) expectClose(meanInterval(values), wanted, 1e-12);
  });

  it('of paired differences', () => {
    for (const { reference, values, ...wanted } of scipy.paired)
      expectClose(meanInterval(values.map((value, i) => value - reference[i]!)), wanted, 1e-12);
  });

  it('of questions drawn anew, as near as 2000 draws come', () => {
    for (const { rows, ...wanted } of scipy.bootstrap) expectClose(bootstrapInterval(rows), wanted, 0.01);
  });

  it('are not known of one seed', () => {
    expect(meanInterval([0.5])).toEqual({ mean: 0.5, low: NaN, high: NaN });
  });
});
