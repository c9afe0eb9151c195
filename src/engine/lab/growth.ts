import type { EfficiencyExperiment } from './experiment.ts';
import type { LabSummary } from './report.ts';

/** Least squares over numbers of tiles: value = atNone + perTile · tiles. */
export interface Growth {
  level: string;
  metric: string;
  perTile: number;
  atNone: number;
  /** Of the reference's mean, at every number of tiles. */
  ratios: { tiles: number; ratio: number }[];
}

export function fitGrowth({ levels, tiles, reference }: EfficiencyExperiment, summary: readonly LabSummary[]): Growth[] {
  const at = (level: string, metric: string, count: number) =>
    summary.find((one) => one.level === level && one.metric === `${metric}, ${count} ${count === 1 ? 'tile' : 'tiles'}`)?.mean;
  const metrics = [...new Set(summary.map(({ metric }) => metric.replace(/, \d+ tiles?$/, '')))];
  return levels.flatMap(({ level }) =>
    metrics.flatMap((metric): Growth[] => {
      const points = tiles.flatMap((count) => {
        const value = at(level, metric, count);
        return value === undefined ? [] : [[count, value] as const];
      });
      if (points.length < 2) return [];
      const ratios = points.flatMap(([count, value]) => {
        const other = at(reference, metric, count);
        return other ? [{ tiles: count, ratio: value / other }] : [];
      });
      return [{ level, metric, ...line(points), ratios }];
    }),
  );
}

function line(points: readonly (readonly [number, number])[]): { perTile: number; atNone: number } {
  const n = points.length;
  const x = points.reduce((sum, [a]) => sum + a, 0) / n;
  const y = points.reduce((sum, [, b]) => sum + b, 0) / n;
  const covariance = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  const variance = points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  const perTile = covariance / variance;
  return { perTile, atNone: y - perTile * x };
}
