/** What is being worked on, and after how many seconds it has hung; null when it is done. */
export type ForeignWork = { what: string; seconds: number } | null;

/** A message for each of the thousands of examples of a run would keep the page busy. */
const QUIET_MS = 250;

let tell: ((work: ForeignWork) => void) | null = null;
let lastTold = -Infinity;

/** Has the shell of a worker hear of {@link foreignWork}, so that the page can end a worker that hangs in it. */
export function onForeignWork(listener: ((work: ForeignWork) => void) | null): void {
  tell = listener;
  lastTold = -Infinity;
}

/**
 * Work on a stranger's files that nothing can interrupt: reading a tokenizer, rendering a chat template. Each part of it
 * has limits of its own; this is for what they might leave open.
 */
export function foreignWork<T>(what: string, seconds: number, work: () => T): T {
  const listener = tell;
  if (!listener || performance.now() - lastTold < QUIET_MS) return work();
  listener({ what, seconds });
  try {
    return work();
  } finally {
    lastTold = performance.now();
    listener(null);
  }
}
