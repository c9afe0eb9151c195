import { expect, type Browser, type Page } from '@playwright/test';

/** One task of a page's main thread. */
export interface MainThreadTask {
  /** Milliseconds that the thread itself worked: what other programs took from it does not count. */
  cpuMs: number;
  /** Milliseconds from its begin to its end. */
  wallMs: number;
  /** What it was made of, longest first. */
  parts: string[];
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds. */
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string; data?: { url?: string; functionName?: string } };
}

/** Tasks of less work than this are of no interest. */
const LEAST_MS = 5;
const MOST_PARTS = 6;

/** The main-thread tasks of `page` while `run` runs, those with the most work first. Chromium only. */
export async function mainThreadTasks(page: Page, run: () => Promise<void>): Promise<MainThreadTask[]> {
  const browser: Browser = page.context().browser()!;
  await browser.startTracing(page, { categories: ['-*', 'devtools.timeline', 'disabled-by-default-devtools.timeline'] });
  let trace: Buffer;
  try {
    await run();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const mainThreads = new Set(
    traceEvents.filter((e) => e.ph === 'M' && e.name === 'thread_name' && e.args.name === 'CrRendererMain').map(threadOf),
  );
  const events = traceEvents.filter((e) => e.ph === 'X' && mainThreads.has(threadOf(e)));
  const tasks = events.filter((e) => e.name === 'RunTask');
  if (tasks.length === 0) throw new Error('the trace has no task of a main thread');
  return tasks
    .filter((task) => cpuMs(task) >= LEAST_MS)
    .map((task) => {
      const inside = events.filter((e) => e !== task && threadOf(e) === threadOf(task) && holds(task, e));
      const parts = inside.sort((a, b) => cpuMs(b) - cpuMs(a)).slice(0, MOST_PARTS);
      return { cpuMs: cpuMs(task), wallMs: (task.dur ?? 0) / 1000, parts: parts.map(describe) };
    })
    .sort((a, b) => b.cpuMs - a.cpuMs);
}

function cpuMs({ tdur, dur }: TraceEvent): number {
  return (tdur ?? dur ?? 0) / 1000;
}

function holds(outer: TraceEvent, inner: TraceEvent): boolean {
  return inner.ts >= outer.ts && inner.ts + (inner.dur ?? 0) <= outer.ts + (outer.dur ?? 0);
}

function describe(event: TraceEvent): string {
  const { url, functionName } = event.args.data ?? {};
  const where = [functionName, url?.split('/').at(-1)].filter(Boolean).join(' in ');
  return `${event.name}${where && ` (${where})`} ${cpuMs(event).toFixed(1)} ms`;
}

/**
 * No task of the page's main thread works for 50 ms: past that a page stutters. What counts is the processor time of the
 * thread, for on a busy machine a task of 5 ms may take 100 from begin to end. Each scenario is measured once, the first time
 * that its page does it: a second time, with everything loaded and compiled, is not what a visitor waits for.
 */
const LIMIT_MS = 50;

export async function expectShortTasks(page: Page, scenario: string, run: () => Promise<void>): Promise<void> {
  const [longest] = await mainThreadTasks(page, run);
  if (!longest) return;
  const { cpuMs, wallMs, parts } = longest;
  const took = `${cpuMs.toFixed(1)} ms of work, ${wallMs.toFixed(1)} ms from begin to end`;
  expect(cpuMs, `${scenario}: ${took}\n${parts.join('\n')}`).toBeLessThan(LIMIT_MS);
}
