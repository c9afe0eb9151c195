import { cancelled } from '../errors.ts';

export interface RetryPolicy {
  /** Attempts in a row without a single new byte before giving up. */
  attempts: number;
  /** First pause; doubles each time. */
  baseMs: number;
  /** No byte for so long counts as a lost connection. */
  stallMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseMs: 300, stallMs: 30_000 };
const LONGEST_PAUSE_MS = 20_000;

/** Pause before attempt `attempt` (1 = the first repetition): exponential with jitter, or what the server asked for. */
export function pauseMs(attempt: number, policy: RetryPolicy, retryAfterMs: number | null, random = Math.random): number {
  const doubled = policy.baseMs * 2 ** (attempt - 1) * (0.75 + random() / 2);
  return Math.min(LONGEST_PAUSE_MS, Math.max(doubled, retryAfterMs ?? 0));
}

/** Milliseconds of a Retry-After header (seconds or a date), or null. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | null {
  if (header === null) return null;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** The promise, or the `cancelled` error as soon as the signal fires. */
export function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled());
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Waits, and stops waiting at once when the signal fires. @throws NvlmError `cancelled` */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await unlessAborted(pause, signal);
  } finally {
    clearTimeout(timer);
  }
}
