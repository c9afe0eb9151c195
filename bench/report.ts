import { makeReports, type Measurement } from '../src/headless/bench-report.ts';

export type { Measurement };

/** One JSON document on stdout, nothing else: a report, or a list of them when one run measures several things. */
export function printReport(...measurements: Measurement[]): void {
  const reports = makeReports(measurements);
  process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
}
