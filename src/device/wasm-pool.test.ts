import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import { casesThatDifferOnThreads } from '../../tests/support/threads.ts';
import { seededNumbers } from '../numbers/random.ts';
import { nodePlatform } from './node.ts';
import { openDevice } from './open-device.ts';
import { TIMED_WORK } from './thread-choice.ts';
import type { Device, DevicePlatform, WasmThreads } from './types.ts';
import { compileWasmKernels, FORMAT, wasmKernels, wasmPool } from './wasm-kernels.ts';
import { wasmModule } from './wasm-memory.ts';
import { WasmPool, type PoolThread, type ThreadStart } from './wasm-pool.ts';
import { SPLITS, type SplitKernel } from './wasm-splits.ts';
import { JOB, makeControl, runUnits, viewsOf, WORD } from './wasm-thread.js';

let device: Device | null = null;
afterAll(() => device?.dispose());

const BYTES = 1 << 18;

/** Operands of each kernel, sizes that divide into nothing. `a`, `b`, `c` and `d` hold small floats; results go to `y` on. */
type Addresses = Record<'a' | 'b' | 'c' | 'd' | 'y', number>;
const CALLS: [SplitKernel, name: string, (at: Addresses) => number[]][] = [
  ['multiply', 'floats', ({ a, b, y }) => [a, 0, FORMAT.f32, b, 0, 0, 0, 1, 0, y, 37, 203, 130]],
  ['multiply', 'floats, a transposed, more than a panel', ({ a, b, c, y }) => [a, 1, FORMAT.f32, b, 0, 0, 0, 1, c, y, 13, 43, 1030]],
  ['multiply', 'halves, transposed', ({ a, b, c, y }) => [a, 0, FORMAT.f16, b, 1, 0, 0, 1, c, y, 9, 203, 131]],
  ['multiply', '4 bits, transposed', ({ a, b, c, d, y }) => [a, 0, FORMAT.affine4, b, 1, c, d, 64, 0, y, 9, 203, 128]],
  ['multiplyFewRowsF32', 'floats', ({ a, b, c, y }) => [a, b, c, y, 3, 203, 130]],
  ['multiplyFewRows', 'halves', (at) => [FORMAT.f16, at.a, tableOf(at, [203]), 51, 1, 3, 131]],
  ['multiplyFewRows', '8 bits', (at) => [FORMAT.affine8, at.a, tableOf(at, [203]), 51, 64, 3, 128]],
  ['multiplyFewRows', '4 bits', (at) => [FORMAT.affine4, at.a, tableOf(at, [203]), 51, 32, 3, 96]],
  ['multiplyFewRows', 'several matrices', (at) => [FORMAT.affine8, at.a, tableOf(at, [35, 3, 201]), 61, 64, 3, 128]],
  ['attend', 'grouped, causal', ({ a, b, c, y }) => [a, b, c, y, 2, 70, 90, 6, 3, 12, 1, 0, 0, 0, 0, 0]],
  ['attendFewRows', 'pairs and one left', ({ a, b, c, y }) => [a, b, c, y, 2, 3, 90, 9, 3, 16, 1, 0, 0, 0, 0, 0]],
  ['attendFewRows', 'odd size', ({ a, b, c, y }) => [a, b, c, y, 1, 1, 290, 6, 2, 13, 0, 0, 0, 0, 0, 0]],
  [
    'attendGradient',
    'grouped, causal',
    ({ a, b, c, d, y }) => [d, a, b, c, y, y + 65536, y + 131072, 2, 70, 90, 6, 3, 12, 1, 0, 0, 0, 0, 0],
  ],
  ['rmsNorm', 'rows', ({ a, b, y }) => [a, b, y, 37, 203, 1e-5]],
  ['rmsNormGradient', 'rows', ({ a, b, c, y }) => [a, b, c, y, 0, 37, 203, 1e-5]],
  ['layerNorm', 'rows', ({ a, b, c, y }) => [a, b, c, y, 37, 203, 1e-5]],
  ['rope', 'rows', ({ a, b, y }) => [a, b, y, 37, 3, 11, -1]],
  ['gelu', 'elements', ({ a, y }) => [a, y, 1003]],
  ['geluGradient', 'elements', ({ a, b, y }) => [a, b, y, 1003]],
  ['geluTanh', 'elements', ({ a, y }) => [a, y, 1003]],
  ['geluTanhGradient', 'elements', ({ a, b, y }) => [a, b, y, 1003]],
  ['swiglu', 'elements', ({ a, b, y }) => [a, b, y, 1003]],
  ['swigluGateGradient', 'elements', ({ a, b, c, y }) => [a, b, c, y, 1003]],
  // In place: what `run` fills `y` with before every call is its first operand.
  ['adamW', 'elements', ({ a, b, y }) => [y, y + 65536, b, a, 1003, 1, 0.9, 0.99, 1e-8, 0.999, 0.01, 0.5]],
];

describe('a call that is cut gives the bits of one that is not', () => {
  beforeAll(async () => void (device = await openBackend('wasm', { threads: 3 })));

  test.each(CALLS)('%s: %s', async (name, _, operandsOf) => {
    expect(device!.info).toMatchObject({ threads: 3, threadsReason: '3 threads compute, as asked for.' });
    const wasm = wasmModule();
    const [a, b, c, d, y] = Array.from({ length: 5 }, () => wasm._malloc(BYTES) >>> 0) as [number, number, number, number, number];
    const pool = wasmPool()!;
    pool.leastWork = 0;
    const run = vi.spyOn(pool, 'run');
    const results = [1, 2, 3].map((most) => {
      const next = seededNumbers(5);
      // What is written into changes nothing for the others: AdamW's moments are made anew.
      for (const at of [a, b, c, d]) new Float32Array(wasm.HEAPU8.buffer, at, BYTES / 4).forEach((_, i, all) => (all[i] = next() - 0.4));
      new Float32Array(wasm.HEAPU8.buffer, y, BYTES / 4).fill(0.25);
      pool.mostUsed = most;
      wasmKernels()![name](...operandsOf({ a, b, c, d, y }));
      return Buffer.concat([b, y].map((at) => wasm.HEAPU8.slice(at, at + BYTES)));
    });
    expect(run).toHaveBeenCalledTimes(2);
    run.mockRestore();
    const [one, two, three] = results as [Buffer, Buffer, Buffer];
    expect(two.equals(one), '2 threads').toBe(true);
    expect(three.equals(one), '3 threads').toBe(true);
    const untouched = new Uint32Array(Float32Array.of(0.25).buffer)[0]!;
    expect(new Uint32Array(wasm.HEAPU8.buffer, y, BYTES / 4).some((bits) => bits !== untouched)).toBe(true);
    for (const at of [a, b, c, d, y]) wasm._free(at);
  });

  // Threads that happen to work one after the other could share it and nobody would see.
  test('each thread has scratch memory of its own, and the same operands for the same units', () => {
    const { numbers } = viewsOf(makeControl(3), 3);
    // Three operands: where a row begins, how many units, scratch.
    numbers.set([0, 0, 30, 10, 3, 1, 2, 4096, 3, 512, 0, 65536], JOB.kernel);
    numbers.set([8], JOB.growth);
    const calls: number[][] = [];
    for (const thread of [0, 1, 2]) runUnits(numbers, [(...operands) => void calls.push(operands)], thread, 10, 20);
    expect(calls).toEqual([
      [592, 10, 65536],
      [592, 10, 65536 + 4096],
      [592, 10, 65536 + 2 * 4096],
    ]);
  });

  test('every kernel that is cut is among them', () => {
    expect(new Set(CALLS.map(([name]) => name))).toEqual(new Set(Object.keys(SPLITS)));
  });

  test('every op and its gradient', async () => {
    expect(await casesThatDifferOnThreads()).toEqual([]);
  });
});

/** Node's threads, and what became of them. */
function watchedThreads(most: number) {
  const threads: { worker: Worker; stopped: boolean }[] = [];
  const start = (given: ThreadStart): PoolThread => {
    const worker = new Worker(new URL('./node-wasm-thread.js', import.meta.url), { workerData: given, execArgv: [] });
    const thread = { worker, stopped: false };
    threads.push(thread);
    return {
      ready: new Promise((resolve) => worker.once('message', () => resolve())),
      onEnd: (listener) => void worker.once('exit', () => thread.stopped || listener()),
      stop: () => {
        thread.stopped = true;
        void worker.terminate();
      },
    };
  };
  const given: WasmThreads = { most, fixed: true, start };
  const platform: DevicePlatform = { ...nodePlatform(), threads: () => given };
  return { threads, platform };
}

/** A product whose result is a row of tens. */
function tens(): Float32Array {
  const wasm = wasmModule();
  const [n, k] = [4096, 100];
  const [x, w, y] = [k, n * k, n].map((size) => wasm._malloc(4 * size) >>> 0) as [number, number, number];
  new Float32Array(wasm.HEAPU8.buffer, x, k).fill(1);
  new Float32Array(wasm.HEAPU8.buffer, w, n * k).fill(0.1);
  wasmKernels()!.multiplyFewRowsF32(x, w, 0, y, 1, n, k);
  const result = new Float32Array(wasm.HEAPU8.buffer, y, n).map(Math.round);
  for (const at of [x, w, y]) wasm._free(at);
  return result;
}

/** What `multiplyFewRows` is told of matrices with so many rows each; added is what differs from row to row. */
function tableOf({ b, c, d, y }: Addresses, rows: number[]): number {
  const table = d + BYTES / 2;
  const matrices = rows.flatMap((n, i) => [b + 64 * i, c, d, c, y + 2048 * i * (i + 1), 4 * n, n]);
  new Uint32Array(wasmModule().HEAPU8.buffer, table, matrices.length).set(matrices);
  return table;
}

describe('threads that come and go', () => {
  test('a thread does a job that nobody else takes', async () => {
    await nodePlatform().prepareWasm();
    const { module } = (await compileWasmKernels({ shared: true }))!;
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    const control = makeControl(2);
    const given = nodePlatform().threads();
    if ('absent' in given) throw new Error(given.absent);
    const thread = given.start({ control, threads: 2, thread: 1, module, memory, names: ['gelu'] });
    await thread.ready;
    const { words, numbers } = viewsOf(control, 2);
    new Float32Array(memory.buffer, 0, 256).fill(10);
    numbers.set([0, 0, 256, 64, 4, 2, -1, 0, 3, 0, 4096, 256], JOB.kernel);
    numbers.set([4, 4], JOB.growth);
    Atomics.store(words, WORD.active, 2);
    Atomics.store(words, WORD.unfinished, 4);
    Atomics.store(words, WORD.left, 4);
    Atomics.add(words, WORD.jobs, 1);
    // It may be asleep by now.
    while (Atomics.load(words, WORD.unfinished) > 0) {
      Atomics.store(words, WORD.asleep + 16, 0);
      Atomics.notify(words, WORD.asleep + 16);
    }
    expect(new Set(new Float32Array(memory.buffer, 4096, 256))).toEqual(new Set([10]));
    expect(new Float32Array(memory.buffer, 4096 + 1024, 1)[0]).toBe(0);
    thread.stop();
  });

  test('disposing ends them all, and the next device has others', async () => {
    for (let round = 0; round < 2; round++) {
      const { threads, platform } = watchedThreads(3);
      const opened = await openDevice('wasm', platform);
      expect(threads).toHaveLength(2);
      expect(new Set(tens())).toEqual(new Set([10]));
      const ended = threads.map(({ worker }) => new Promise((resolve) => worker.once('exit', resolve)));
      await opened.dispose();
      expect(threads.every(({ stopped }) => stopped)).toBe(true);
      await Promise.all(ended);
    }
  });

  test('one that dies costs nothing but its help', async () => {
    const { threads, platform } = watchedThreads(2);
    device = await openDevice('wasm', platform);
    const ended = new Promise((resolve) => threads[0]!.worker.once('exit', resolve));
    void threads[0]!.worker.terminate();
    // Nobody has noticed yet.
    expect(new Set(tens())).toEqual(new Set([10]));
    await ended;
    await vi.waitFor(() => expect(device!.info).toMatchObject({ threads: 1, threadsReason: 'Other threads were lost, so one computes.' }));
    expect(new Set(tens())).toEqual(new Set([10]));
  });

  test('one that dies in the middle of its work is a typed error, and the next call computes', async () => {
    device = await openBackend('wasm', { threads: 2 });
    const pool = wasmPool()!;
    const inside = pool as unknown as { options: { patienceMs: number }; views: ReturnType<typeof viewsOf>; call(threads: number): void };
    inside.options.patienceMs = 50;
    // Takes a piece and is never heard of again.
    const call = vi.spyOn(inside, 'call').mockImplementation(() => void Atomics.sub(inside.views.words, WORD.left, 1));
    expect(tens).toThrow(expect.objectContaining({ code: 'engine-lost', message: expect.stringContaining('in the middle') }));
    expect(call).toHaveBeenCalledTimes(1);
    expect(device.info).toMatchObject({ threads: 1 });
    expect(new Set(tens())).toEqual(new Set([10]));
    expect(call).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['do not answer', () => new Promise<void>(() => {})],
    ['fail', () => Promise.reject(new Error('no'))],
  ])('those that %s when they are started are not waited for', async (_, ready) => {
    const stop = vi.fn();
    const nothing = Object.fromEntries(Object.keys(SPLITS).map((name) => [name, () => {}])) as Record<SplitKernel, () => void>;
    const pool = new WasmPool(3, nothing);
    await pool.start(() => ({ ready: ready(), onEnd: () => {}, stop }), null!, null!, 20);
    expect(pool.threads).toBe(1);
    expect(stop).toHaveBeenCalledTimes(2);
  });

  test('a kernel runs on more once cores are free and it is the faster for it, and on one as soon as they are taken', () => {
    let now = 0;
    let pieces = 0;
    let msOnTwo = 1;
    const nothing = Object.fromEntries(Object.keys(SPLITS).map((name) => [name, () => {}])) as Record<SplitKernel, () => void>;
    const gelu = (_x: number, _y: number, count: number) => {
      pieces++;
      now += count === 1024 ? 2 : (msOnTwo * count) / 1024;
    };
    const pool = new WasmPool(2, { ...nothing, gelu }, { now: () => now });
    pool.threads = 2;
    /** In how many pieces a call is cut that takes 2 ms for 1024 units on one thread and so much on two. */
    const piecesOf = (ms: number, units = 1024): number => {
      [msOnTwo, pieces] = [ms, 0];
      pool.run('gelu', [0, 0, units], { units, work: (TIMED_WORK * units) / 1024, growth: { 0: 4, 1: 4 }, count: 2 }, 2, -1);
      return pieces;
    };
    // The first tells what such a call takes.
    for (let call = 0; call < 11; call++) expect(piecesOf(1)).toBe(1);
    expect(Array.from({ length: 9 }, () => piecesOf(1))).toEqual([8, 8, 1, 8, 8, 1, 8, 8, 1]);
    for (let call = 0; call < 20; call++) expect(piecesOf(1)).toBe(8);
    // Interrupted once, for 3.5 ms: that is made up for.
    expect(piecesOf(16, 256)).toBe(8);
    for (let call = 0; call < 200; call++) expect(piecesOf(1)).toBe(8);
    expect(piecesOf(30)).toBe(8);
    // 28 ms were lost.
    for (let call = 0; call < 699; call++) expect(piecesOf(1)).toBe(1);
    expect([piecesOf(1), piecesOf(1), piecesOf(1)]).toContain(8);
  });

  test('without memory that can be shared one thread computes, and why is told', async () => {
    const instantiate = vi.spyOn(WebAssembly, 'instantiate').mockRejectedValueOnce(new RangeError('could not allocate memory'));
    device = await openDevice('wasm', nodePlatform({ threads: 2 }));
    instantiate.mockRestore();
    expect(device.info).toMatchObject({ threads: 1, threadsReason: expect.stringContaining('cannot be had here') });
    expect(new Set(tens())).toEqual(new Set([10]));
  });

  test('where there are none, the platform says why', async () => {
    device = await openDevice('wasm', { ...nodePlatform(), threads: () => ({ absent: 'This page is not isolated.' }) });
    expect(device.info).toMatchObject({ threads: 1, threadsReason: 'This page is not isolated.' });
    expect(wasmPool()).toBeNull();
  });
});
