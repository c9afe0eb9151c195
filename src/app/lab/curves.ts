/** Told apart by those who see no colour difference too; the report's pictures use the same (Okabe and Ito). */
export const LEVEL_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#7f7f7f', '#8a7f00'];

export interface Curve {
  label: string;
  colour: string;
  /** By step, from the first. */
  values: readonly number[];
}

/** Weight of the past: single batches jump too much to be compared. */
const SMOOTHING = 0.8;

/** Exponential mean, corrected for its start. */
export function smooth(values: readonly number[]): number[] {
  let mean = 0;
  return values.map((value, i) => {
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    return mean / (1 - SMOOTHING ** (i + 1));
  });
}

export const PLOT = { width: 640, height: 240, left: 48, bottom: 24, top: 8, right: 8 };

/** Points of a curve in the plot's box, thinned to what can be seen. */
export function pointsOf(values: readonly number[], steps: number, low: number, high: number): string {
  const stride = Math.max(1, Math.ceil(values.length / PLOT.width));
  const x = (i: number) => PLOT.left + (i / Math.max(1, steps - 1)) * (PLOT.width - PLOT.left - PLOT.right);
  const y = (value: number) => PLOT.top + (1 - (value - low) / (high - low || 1)) * (PLOT.height - PLOT.top - PLOT.bottom);
  return values
    .flatMap((value, i) => (i % stride === 0 || i === values.length - 1 ? [`${x(i).toFixed(1)},${y(value).toFixed(1)}`] : []))
    .join(' ');
}

export function rangeOf(curves: readonly Pick<Curve, 'values'>[]): { low: number; high: number; steps: number } {
  const ends = curves.flatMap(({ values }) =>
    values.length > 0 ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : [],
  );
  return { low: Math.min(0, ...ends), high: Math.max(...ends, 0), steps: Math.max(1, ...curves.map(({ values }) => values.length)) };
}
