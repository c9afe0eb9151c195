import type { WriteStream } from 'node:tty';
import { etaSeconds, startRate, updateRate, type Rate } from '../weights/progress.ts';
import { formatBytes, formatDuration } from './format.ts';

/** Shorter work needs no progress. */
const SILENT_MS = 1000;
const TERMINAL_EVERY_MS = 100;
/** A log file wants few lines. */
const LOG_EVERY_MS = 5000;

/**
 * How far the work is, on standard error: a line that rewrites itself on a terminal, else a line every few seconds;
 * nothing in the first second of a piece of work.
 */
export class Progress {
  private label = '';
  private startedAt = 0;
  private shownAt = -Infinity;
  private rate: Rate = startRate(0);
  private lineLength = 0;

  constructor(
    private readonly stream: Pick<WriteStream, 'write' | 'columns' | 'isTTY'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @param unit `B` for bytes, else the plural of what is counted */
  update(label: string, done: number, total: number, unit: string): void {
    const now = this.now();
    if (label !== this.label) {
      this.label = label;
      this.startedAt = now;
      this.rate = startRate(now, done);
      this.shownAt = -Infinity;
    }
    this.rate = updateRate(this.rate, now, done);
    const every = this.stream.isTTY ? TERMINAL_EVERY_MS : LOG_EVERY_MS;
    if (now - this.startedAt < SILENT_MS || now - this.shownAt < every) return;
    this.shownAt = now;
    this.show(this.line(done, total, unit));
  }

  /** A line of the caller's own, as often as {@link update} shows one. */
  say(line: string): void {
    const now = this.now();
    if (now - this.shownAt < (this.stream.isTTY ? TERMINAL_EVERY_MS : LOG_EVERY_MS)) return;
    this.shownAt = now;
    this.show(line);
  }

  /** Takes the line back from a terminal, before anything else is printed. */
  clear(): void {
    if (this.lineLength > 0) this.stream.write(`\r${' '.repeat(this.lineLength)}\r`);
    this.lineLength = 0;
  }

  private line(done: number, total: number, unit: string): string {
    const count = (value: number) => (unit === 'B' ? formatBytes(value) : String(Math.round(value)));
    const perSecond = this.rate.bytesPerSecond;
    const left = etaSeconds({ ...this.rate, bytesPerSecond: perSecond }, done, total);
    const rate = perSecond === null ? '' : unit === 'B' ? formatBytes(perSecond) : perSecond.toPrecision(2);
    return [
      this.label,
      total > 0 ? `${Math.floor((100 * done) / total)} %` : '',
      `${count(done)} of ${count(total)}${unit === 'B' ? '' : ` ${unit}`}`,
      rate && `${rate}/s`,
      left === null ? '' : `${formatDuration(left)} left`,
    ]
      .filter(Boolean)
      .join('  ');
  }

  private show(line: string): void {
    if (!this.stream.isTTY) {
      this.stream.write(`${line}\n`);
      return;
    }
    const fitting = line.slice(0, Math.max(20, (this.stream.columns ?? 80) - 1));
    this.stream.write(`\r${fitting.padEnd(this.lineLength)}`);
    this.lineLength = fitting.length;
  }
}
