import { readdirSync, readFileSync } from 'node:fs';

/**
 * Watches the memory that this process's descendants hold for themselves (Linux: anonymous and shared pages that are resident, of all of
 * them together), which for a browser is heaps, WebAssembly memory and what its storage keeps in memory.
 */
export class DescendantMemory {
  /** The most so far, bytes. */
  peak = 0;
  private readonly timer = setInterval(() => this.look(), 100);

  stop(): void {
    clearInterval(this.timer);
    this.look();
  }

  private look(): void {
    this.peak = Math.max(
      this.peak,
      descendants().reduce((sum, pid) => sum + ownBytes(pid), 0),
    );
  }
}

/** Processor time that this process's living descendants have used, seconds (Linux counts it in hundredths). */
export function descendantSeconds(): number {
  const ticks = descendants().map((pid) => {
    const [user = 0, system = 0] = (/.*\) \S (.*)/s.exec(read(`/proc/${pid}/stat`))?.[1] ?? '').split(' ').slice(10, 12).map(Number);
    return user + system;
  });
  return ticks.reduce((sum, value) => sum + value, 0) / 100;
}

function descendants(): string[] {
  const parents = new Map<string, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    // The name before it, in parentheses, may hold blanks.
    const parent = /.*\) \S (\d+) /s.exec(read(`/proc/${pid}/stat`))?.[1];
    if (parent) parents.set(pid, parent);
  }
  const isOurs = (pid: string | undefined): boolean => pid !== undefined && (pid === String(process.pid) || isOurs(parents.get(pid)));
  return [...parents].filter(([, parent]) => isOurs(parent)).map(([pid]) => pid);
}

function ownBytes(pid: string): number {
  const kilobytes = [...read(`/proc/${pid}/status`).matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, value]) => Number(value));
  return 1024 * kilobytes.reduce((sum, value) => sum + value, 0);
}

/** Empty for a process that has just gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
