// @ts-check
/**
 * What the threads of the wasm backend have in common, and what each of those beside the caller does. Plain JavaScript, because Node
 * starts a thread from a file as it lies on the disk.
 *
 * A job is one call of a kernel over a range of its units (device/wasm-splits.ts), cut into pieces. Whoever is free, the caller too,
 * takes the next piece; so a thread that is asleep, late or gone costs nothing but the help that it does not give, and the caller waits
 * for pieces alone that somebody has begun.
 */

/** Words of the control block, each in a cache line of its own. */
export const WORD = {
  /** Grows with every job. */
  jobs: 0,
  /** Pieces that nobody has taken yet. A thread reads what the job is only after it has taken one: until that is done, no other follows. */
  left: 16,
  /** Pieces that are not done yet. */
  unfinished: 32,
  /** Pieces in which a kernel failed. */
  failed: 48,
  /** How many threads are to look out for the next job, the caller among them. */
  active: 64,
  /** 1 where thread n sleeps: the n-th line from here. */
  asleep: 80,
};
const LINE = 16;

/** Numbers of the control block: the job. */
export const JOB = {
  kernel: 0,
  /** The units are [from, to), a piece has `size` of them. */
  from: 1,
  to: 2,
  size: 3,
  pieces: 4,
  /** Which operand is how many units there are. */
  count: 5,
  /** Which operand is a thread's own scratch memory, −1 for none, and how many bytes lie from one thread's to the next's. */
  scratch: 6,
  scratchBytes: 7,
  operandCount: 8,
  /** The operands for unit 0 and, behind them, how much each grows with every unit. */
  operands: 9,
  growth: 41,
};
export const MOST_OPERANDS = JOB.growth - JOB.operands;

/** As long as a thread looks out for the next job before it falls asleep: about what lies between two products of a decoder's layer. */
const LOOK_OUT_MS = 0.1;
/**
 * No longer than this a thread keeps from its event loop: Firefox asks every worker of a page when a service worker takes it over, and holds
 * the page's requests until all have answered.
 */
const DEAF_MS = 200;

/**
 * @param {number} threads
 * @returns {SharedArrayBuffer}
 */
export function makeControl(threads) {
  return new SharedArrayBuffer(4 * wordCount(threads) + 8 * (JOB.growth + MOST_OPERANDS));
}

/** @param {number} threads */
function wordCount(threads) {
  return WORD.asleep + LINE * threads;
}

/**
 * @param {SharedArrayBuffer} control
 * @param {number} threads
 */
export function viewsOf(control, threads) {
  return { words: new Int32Array(control, 0, wordCount(threads)), numbers: new Float64Array(control, 4 * wordCount(threads)) };
}

/** @param {number} thread */
export function asleepAt(thread) {
  return WORD.asleep + LINE * thread;
}

/**
 * Takes pieces of the job until none is left.
 *
 * @param {ReturnType<typeof viewsOf>} views
 * @param {((...operands: number[]) => void)[]} kernels
 * @param {number} thread
 */
export function takePieces({ words, numbers }, kernels, thread) {
  for (;;) {
    const left = Atomics.load(words, WORD.left);
    if (left <= 0) return;
    if (Atomics.compareExchange(words, WORD.left, left, left - 1) !== left) continue;
    try {
      const size = read(numbers, JOB.size);
      const from = read(numbers, JOB.from) + (read(numbers, JOB.pieces) - left) * size;
      runUnits(numbers, kernels, thread, from, Math.min(from + size, read(numbers, JOB.to)));
    } catch {
      Atomics.add(words, WORD.failed, 1);
    }
    if (Atomics.sub(words, WORD.unfinished, 1) === 1) Atomics.notify(words, WORD.unfinished);
  }
}

/**
 * The kernel over the units [from, to), in memory of this thread's.
 *
 * @param {ArrayLike<number>} numbers
 * @param {((...operands: number[]) => void)[]} kernels
 * @param {number} thread
 * @param {number} from
 * @param {number} to
 */
export function runUnits(numbers, kernels, thread, from, to) {
  const operands = [];
  const count = read(numbers, JOB.operandCount);
  for (let i = 0; i < count; i++) operands.push(read(numbers, JOB.operands + i) + from * read(numbers, JOB.growth + i));
  operands[read(numbers, JOB.count)] = to - from;
  const scratch = read(numbers, JOB.scratch);
  if (scratch >= 0) operands[scratch] = read(operands, scratch) + thread * read(numbers, JOB.scratchBytes);
  const kernel = /** @type {(...operands: number[]) => void} */ (kernels[read(numbers, JOB.kernel)]);
  kernel(...operands);
}

/**
 * @param {ArrayLike<number>} numbers
 * @param {number} at
 */
function read(numbers, at) {
  return /** @type {number} */ (numbers[at]);
}

/**
 * A thread beside the caller's: starts the kernels in the shared memory and helps with every job, for as long as it lives.
 *
 * @param {object} start
 * @param {SharedArrayBuffer} start.control
 * @param {number} start.threads how many there are, the caller's among them
 * @param {number} start.thread which of them this is, from 1 on
 * @param {WebAssembly.Module} start.module
 * @param {WebAssembly.Memory} start.memory
 * @param {string[]} start.names of the kernels that are cut, in the order of their numbers
 * @param {() => void} ready
 */
export async function serveJobs({ control, threads, thread, module, memory, names }, ready) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = names.map((name) => /** @type {(...operands: number[]) => void} */ (exports[name]));
  const views = viewsOf(control, threads);
  const { words } = views;
  const asleep = asleepAt(thread);
  ready();
  let listened = performance.now();
  for (let seen = 0; ; ) {
    if (performance.now() - listened >= DEAF_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      listened = performance.now();
    }
    const until = performance.now() + LOOK_OUT_MS;
    while (Atomics.load(words, WORD.jobs) === seen) {
      if (Atomics.load(words, WORD.active) > thread && performance.now() < until) continue;
      Atomics.store(words, asleep, 1);
      // Whoever gives a job either sees that this thread sleeps, or is seen here.
      const woken = Atomics.load(words, WORD.jobs) !== seen || Atomics.wait(words, asleep, 1, DEAF_MS) !== 'timed-out';
      Atomics.store(words, asleep, 0);
      if (!woken) break;
    }
    if (Atomics.load(words, WORD.jobs) === seen) continue;
    seen = Atomics.load(words, WORD.jobs);
    takePieces(views, kernels, thread);
  }
}
