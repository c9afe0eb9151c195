/** Bytes over time, smoothed: the figures under a progress bar. */
export interface Rate {
  atMs: number;
  bytes: number;
  /** null until two moments are known */
  bytesPerSecond: number | null;
}

/** Time constant of the smoothing: about the last three seconds count. */
const SMOOTHING_MS = 3000;
/** Shorter steps are added up first: the rate of a few milliseconds means nothing. */
const SHORTEST_STEP_MS = 50;

export function startRate(nowMs: number, bytes = 0): Rate {
  return { atMs: nowMs, bytes, bytesPerSecond: null };
}

/**
 * The rate after `bytes` in all have come by `nowMs`: an exponential mean whose weight depends on time, not on event
 * count.
 */
export function updateRate(rate: Rate, nowMs: number, bytes: number): Rate {
  const elapsed = nowMs - rate.atMs;
  if (elapsed < SHORTEST_STEP_MS) return rate;
  const current = ((bytes - rate.bytes) / elapsed) * 1000;
  const keep = rate.bytesPerSecond === null ? 0 : Math.exp(-elapsed / SMOOTHING_MS);
  return { atMs: nowMs, bytes, bytesPerSecond: (rate.bytesPerSecond ?? 0) * keep + current * (1 - keep) };
}

/** Seconds until `totalBytes`, or null while nothing can be said (no rate yet, or stalled). */
export function etaSeconds(rate: Rate, loadedBytes: number, totalBytes: number): number | null {
  const left = totalBytes - loadedBytes;
  if (left <= 0) return 0;
  if (rate.bytesPerSecond === null || rate.bytesPerSecond < 1) return null;
  return left / rate.bytesPerSecond;
}
