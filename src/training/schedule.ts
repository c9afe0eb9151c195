export type ScheduleShape = 'cosine' | 'linear' | 'constant';

export interface Schedule {
  lr: number;
  minLr: number;
  /** Steps of linear warm-up from lr / warmup. */
  warmup: number;
  shape: ScheduleShape;
}

/** Learning rate of a step (0-based) of `steps`: linear warm-up, then down to `minLr` at the end (docs/facts.md, Training). */
export function learningRate(step: number, { lr, minLr, warmup, shape }: Schedule, steps: number): number {
  if (step < warmup) return (lr * (step + 1)) / warmup;
  if (shape === 'constant') return lr;
  const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return minLr + (lr - minLr) * (shape === 'linear' ? 1 - done : 0.5 * (1 + Math.cos(Math.PI * done)));
}
