import { NvlmError } from '../errors.ts';
import { FreeCores } from './free-cores.ts';
import { ThreadChoice, TIMED_WORK } from './thread-choice.ts';
import { SPLITS, type Split, type SplitKernel } from './wasm-splits.ts';
import { asleepAt, JOB, makeControl, MOST_OPERANDS, runUnits, type serveJobs, takePieces, viewsOf, WORD } from './wasm-thread.js';

export type ThreadStart = Parameters<typeof serveJobs>[0];

/** A thread that a platform has started. */
export interface PoolThread {
  /** Settles when it serves; rejects when it cannot. */
  ready: Promise<void>;
  /** Called once when it ends without having been stopped. */
  onEnd(listener: () => void): void;
  stop(): void;
}

/** Below so much work, in products, a call is over before another thread has looked at it. */
const LEAST_WORK = 200_000;
/** Pieces for each thread: one that is late, or has a slower core, takes fewer. */
const PIECES = 4;
/** After so long without any progress in a job whose pieces have all been begun, somebody who had one is taken for gone. */
const PATIENCE_MS = 20_000;
/** As long as the caller looks out for the end of a job before it sleeps. */
const LOOK_OUT_MS = 0.05;

export interface PoolOptions {
  /** Always all threads: nothing is measured. */
  fixed?: boolean;
  now?: () => number;
  patienceMs?: number;
}

const NAMES = Object.keys(SPLITS) as SplitKernel[];

/** The threads of one device, the caller's among them: cuts calls of kernels into pieces and waits until all are done. */
export class WasmPool {
  /** How many threads there are now. */
  threads = 1;
  /** Of those so many are used at most: for who compares. */
  mostUsed = Infinity;
  leastWork = LEAST_WORK;
  private readonly control: SharedArrayBuffer;
  private readonly views: ReturnType<typeof viewsOf>;
  private readonly kernels: ((...operands: number[]) => void)[];
  private readonly choices = new Map<SplitKernel, ThreadChoice>();
  private readonly cores = new FreeCores();
  private readonly running = new Set<PoolThread>();
  private readonly now: () => number;
  private readonly listeners: (() => void)[] = [];

  /** @param size how many threads there are to be, the caller's among them */
  constructor(
    readonly size: number,
    exports: Readonly<Record<SplitKernel, (...operands: number[]) => void>>,
    private readonly options: PoolOptions = {},
  ) {
    this.control = makeControl(size);
    this.views = viewsOf(this.control, size);
    this.kernels = NAMES.map((name) => exports[name]);
    this.now = options.now ?? (() => performance.now());
  }

  /**
   * Starts the other threads and waits for those that come up in time.
   * @returns once each serves or has failed, or after `waitMs`: who is not there by then is stopped
   */
  async start(
    startThread: (start: ThreadStart) => PoolThread,
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    waitMs: number,
  ): Promise<void> {
    const started = Array.from({ length: this.size - 1 }, (_, i) =>
      startThread({ control: this.control, threads: this.size, thread: i + 1, module, memory, names: NAMES }),
    );
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), waitMs)));
    const isThere = await Promise.all(started.map(({ ready }) => Promise.race([ready.then(() => true).catch(() => false), late])));
    clearTimeout(timer);
    if (!isThere.every(Boolean)) {
      // Numbers of threads are those of a row without gaps.
      for (const thread of started) thread.stop();
      return;
    }
    for (const thread of started) {
      this.running.add(thread);
      thread.onEnd(() => this.shrink());
    }
    this.threads = this.size;
  }

  /** Tells when threads were lost; the pool goes on with the caller's. */
  onLoss(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Ends the other threads; what is called from now on runs on the caller's. */
  stop(): void {
    this.threads = 1;
    for (const thread of this.running) thread.stop();
    this.running.clear();
  }

  private shrink(): void {
    if (this.threads === 1) return;
    this.stop();
    this.listeners.forEach((listener) => listener());
  }

  /** Whether a call is worth more than one thread at all. */
  isWorthIt({ units, work, grain = 1 }: Split): boolean {
    return Math.min(this.threads, this.mostUsed) > 1 && work >= this.leastWork && units >= 2 * grain;
  }

  /**
   * Runs a kernel over all its units.
   *
   * @param operands for unit 0
   * @param count which of them is the number of units
   * @param scratch which of them is scratch memory, −1 for none
   * @throws NvlmError `engine-lost` when a thread that had begun a piece does not end it; the pool has one thread then
   */
  run(name: SplitKernel, operands: readonly number[], split: Split, count: number, scratch: number): void {
    const { units, work, grain = 1 } = split;
    const kernel = NAMES.indexOf(name);
    const choice = this.choiceOf(name);
    let isWritten = false;
    for (let from = 0; from < units; ) {
      const isTimed = choice !== null && this.cores.areThere() && choice.isDue();
      const threads = isTimed ? choice.next : (choice?.threads ?? this.threads);
      const to = isTimed ? Math.min(units, from + Math.ceil((units * TIMED_WORK) / work / grain) * grain) : units;
      const start = this.now();
      if (threads === 1 && to - from === units) {
        this.kernels[kernel]!(...operands);
      } else {
        if (!isWritten) this.write(kernel, operands, split, count, scratch);
        isWritten = true;
        this.compute(from, to, threads, grain);
      }
      if (choice) this.note(choice, this.now() - start, (work * (to - from)) / units, threads, isTimed);
      from = to;
    }
  }

  private choiceOf(name: SplitKernel): ThreadChoice | null {
    if (this.options.fixed) return null;
    let choice = this.choices.get(name);
    if (!choice) this.choices.set(name, (choice = new ThreadChoice(this.threads, this.now)));
    return choice;
  }

  private note(choice: ThreadChoice, ms: number, work: number, threads: number, isTimed: boolean): void {
    const { cores } = this;
    const wereTaken = cores.areTaken;
    const isInterrupted = cores.note(ms, choice.expectedMs(work), threads);
    if (threads === 1) choice.noteOnOne(ms, work);
    if (cores.areTaken && !wereTaken) for (const each of this.choices.values()) each.drop();
    if (isTimed && !isInterrupted) choice.noteTimed(ms, work);
  }

  private write(
    kernel: number,
    operands: readonly number[],
    { growth, scratchBytes, count: counted }: Split,
    count: number,
    scratch: number,
  ): void {
    const { numbers } = this.views;
    if (operands.length > MOST_OPERANDS)
      throw new RangeError(`${NAMES[kernel]} has ${operands.length} operands, more than ${MOST_OPERANDS}`);
    numbers[JOB.kernel] = kernel;
    numbers[JOB.count] = count;
    numbers[JOB.scratch] = scratch;
    numbers[JOB.scratchBytes] = scratchBytes ?? 0;
    numbers[JOB.operandCount] = operands.length;
    // Called a hundred times a token: nothing is built here.
    for (let i = 0; i < operands.length; i++) {
      numbers[JOB.operands + i] = operands[i]!;
      numbers[JOB.growth + i] = growth?.[i] ?? 0;
    }
    // The first unit of a range moves with the units.
    if (counted === undefined) numbers[JOB.growth + count - 1] = 1;
  }

  /** The units [from, to) of the job that is written, on so many threads. */
  private compute(from: number, to: number, threads: number, grain: number): void {
    const { words, numbers } = this.views;
    const most = Math.min(threads, this.threads, this.mostUsed);
    const size = Math.ceil((to - from) / (PIECES * most * grain)) * grain;
    const pieces = Math.ceil((to - from) / size);
    if (most === 1 || pieces === 1) {
      runUnits(numbers, this.kernels, 0, from, to);
      return;
    }
    numbers[JOB.from] = from;
    numbers[JOB.to] = to;
    numbers[JOB.size] = size;
    numbers[JOB.pieces] = pieces;
    Atomics.store(words, WORD.active, most);
    Atomics.store(words, WORD.unfinished, pieces);
    Atomics.store(words, WORD.left, pieces);
    this.call(most);
    takePieces(this.views, this.kernels, 0);
    this.wait();
    if (Atomics.exchange(words, WORD.failed, 0) > 0) throw new Error(`the kernel ${NAMES[numbers[JOB.kernel]!]} failed`);
  }

  private call(threads: number): void {
    const { words } = this.views;
    Atomics.add(words, WORD.jobs, 1);
    for (let thread = 1; thread < threads; thread++) {
      if (Atomics.compareExchange(words, asleepAt(thread), 1, 0) === 1) Atomics.notify(words, asleepAt(thread));
    }
  }

  /** Until all pieces are done. */
  private wait(): void {
    const { words } = this.views;
    let left = Atomics.load(words, WORD.unfinished);
    if (left === 0) return;
    const until = performance.now() + LOOK_OUT_MS;
    while (Atomics.load(words, WORD.unfinished) > 0) if (performance.now() > until) break;
    while ((left = Atomics.load(words, WORD.unfinished)) > 0) {
      const waited = Atomics.wait(words, WORD.unfinished, left, this.options.patienceMs ?? PATIENCE_MS);
      if (waited !== 'timed-out' || Atomics.load(words, WORD.unfinished) < left) continue;
      this.shrink();
      throw new NvlmError(
        'engine-lost',
        'A thread of the WebAssembly backend stopped in the middle of its work.',
        'Load the model again; it computes on one thread from now on.',
      );
    }
  }
}
