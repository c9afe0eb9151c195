/**
 * What threads bring to the wasm backend's kernels, in the shapes of SmolLM2-135M (decoding and prefill) and InternViT-300M (a tile of 448
 * pixels): every call on one thread and on N, in turn, so that a machine that is busy for a while is so for both. Of each the median and
 * the least time; on a machine whose cores are taken, as shared ones are, the least of many short calls alone tells what threads can do.
 *
 * `npx tsx bench/wasm-threads.ts [RUNS] [THREADS] [ROWS]`, default 50, one thread a core and all rows; else those with ROWS in their names.
 */
import { availableParallelism } from 'node:os';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { FORMAT, wasmKernels, wasmPool } from '../src/device/wasm-kernels.ts';
import { wasmModule } from '../src/device/wasm-memory.ts';
import { median } from '../src/numbers/median.ts';
import { printReport, type Measurement } from './report.ts';

const [runs = '50', threads = String(availableParallelism()), wanted = ''] = process.argv.slice(2);
const device = await openDevice('wasm', nodePlatform({ threads: Number(threads) }));
const pool = wasmPool();
if (!pool) throw new Error(`There is one thread: ${device.info.threadsReason}`);
const wasm = wasmModule();
const kernels = wasmKernels()!;
const memory = (megabytes: number) => wasm._malloc(megabytes * 2 ** 20) >>> 0;
const [a, w, scales, biases, y, ready] = [16, 128, 8, 8, 32, 1].map(memory) as [number, number, number, number, number, number];

/** Products of one row with matrices of so many rows. */
const few = (rows: number[], k: number) => {
  const table = ready + 2 ** 19;
  const matrices = rows.flatMap((n) => [w, scales, biases, 0, y, 0, n]);
  new Uint32Array(wasm.HEAPU8.buffer, table, matrices.length).set(matrices);
  kernels.makeRowsReady(FORMAT.affine8, a, 64, 1, k, ready);
  kernels.multiplyFewRows(
    FORMAT.affine8,
    ready,
    table,
    rows.reduce((sum, n) => sum + n / 4, 0),
    64,
    1,
    k,
  );
};
const block = (m: number, n: number, k: number, format: number) =>
  kernels.multiply(a, 0, format, w, Number(format !== FORMAT.f32), scales, biases, 64, 0, y, m, n, k);
/** Calls as a model makes them. */
const CALLS: [name: string, call: () => void][] = [
  ['decode: a product of 576 × 1 536, 8 bits', () => few([1536], 576)],
  ['decode: products of a layer, 8 bits', () => [[576, 192, 192], [576], [1536, 1536]].forEach((rows) => few(rows, 576))],
  ['decode: the head, 49 152 × 576, 8 bits', () => few([49_152], 576)],
  ['decode: attention to 2 048 tokens', () => kernels.attendFewRows(a, w, w + 2 ** 24, y, 1, 1, 2048, 9, 3, 64, 0, 0, 0, 0, 0, 0)],
  ['prefill of 128: a product of 576 × 1 536, 8 bits', () => block(128, 1536, 576, FORMAT.affine8)],
  ['prefill of 512: attention', () => kernels.attend(a, w, w + 2 ** 24, y, 1, 512, 512, 9, 3, 64, 1, 0, 0, 0, 0, 0)],
  ['vision tile: a product of 1 025 × 1 024 × 1 024, floats', () => block(1025, 1024, 1024, FORMAT.f32)],
  ['vision tile: attention', () => kernels.attend(a, w, w + 2 ** 24, y, 1, 1025, 1025, 16, 16, 64, 0, 0, 0, 0, 0, 0)],
  ['vision tile: GELU', () => kernels.gelu(w, w, 1025 * 4096)],
];

const report: Measurement[] = [];
for (const [name, call] of CALLS) {
  if (!name.includes(wanted)) continue;
  const samples: [number[], number[]] = [[], []];
  for (let run = 0; run < Number(runs); run++) {
    for (const [i, most] of [1, Infinity].entries()) {
      pool.mostUsed = most;
      const start = performance.now();
      call();
      samples[i]!.push(performance.now() - start);
    }
  }
  const row = (words: string, unit: string, values: number[]): Measurement => ({
    name: `${name}${words}`,
    unit,
    samples: values,
    adapter: null,
    backend: 'wasm',
  });
  const [one, all] = samples;
  report.push(row(', 1 thread', 'ms', one), row(`, ${device.info.threads} threads`, 'ms', all));
  report.push(row(', times as fast, of the medians', '', [median(one) / median(all)]));
  report.push(row(', times as fast, of the least', '', [Math.min(...one) / Math.min(...all)]));
}
printReport(...report);
await device.dispose();
