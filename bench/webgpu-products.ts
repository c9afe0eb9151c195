/**
 * What a GPU adapter does a second in the products of a vision encoder of width 1024: the project's own, with weights as floats and as
 * halves, its attention of 16 heads, and beside them stock tfjs's matMul. By the processor time of the process, which on a software
 * adapter is the computing itself; on a GPU it says nothing.
 *
 * `npx tsx bench/webgpu-products.ts [ROWS] [RUNS]`, e.g. `256 3`; a tile of 448 pixels has 1 025 rows.
 */
import * as tf from '@tensorflow/tfjs';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { attention } from '../src/ops/attention/attention.ts';
import { linear } from '../src/ops/linear/linear.ts';
import { printReport } from './report.ts';

const [rows = 256, runs = 3] = process.argv.slice(2).map(Number);
const WIDTH = 1024;
const HEADS = 16;

const device = await openDevice('webgpu', nodePlatform());
// Else tfjs computes small inputs on the CPU.
tf.env().set('WEBGPU_CPU_FORWARD', false);

const x = tf.randomNormal<tf.Rank.R2>([rows, WIDTH]);
const matrix = tf.randomNormal<tf.Rank.R2>([WIDTH, WIDTH]);
/** Pairs of halves, all of them 1. */
const halves = tf.fill([WIDTH, WIDTH / 2], 0x3c003c00, 'int32') as tf.Tensor2D;
const keys = x.reshape<tf.Tensor3D>([1, rows, WIDTH]);
const sizes = { inFeatures: WIDTH, outFeatures: WIDTH };
const product = 2 * rows * WIDTH * WIDTH;

async function measured(name: string, operations: number, compute: () => tf.Tensor) {
  const samples: number[] = [];
  // The first run compiles.
  for (let run = 0; run <= runs; run++) {
    const before = process.cpuUsage();
    const result = compute();
    const one = result.flatten().slice([0], [1]);
    await device.read(one);
    const { user, system } = process.cpuUsage(before);
    if (run > 0) samples.push(operations / (user + system) / 1000);
    tf.dispose([result, one]);
  }
  const { adapter, backend } = device.info;
  return { name: `${name}, ${rows} rows, width ${WIDTH}`, unit: 'GFLOP/s of processor time', samples, adapter, backend };
}

printReport(
  await measured('product, floats', product, () => linear(x, { kind: 'f32', ...sizes, data: matrix }, null)),
  await measured('product, halves', product, () => linear(x, { kind: 'f16', ...sizes, data: halves }, null)),
  await measured('attention', 4 * rows * rows * WIDTH, () =>
    attention(x, keys, keys, { heads: HEADS, kvHeads: HEADS, causal: false, starts: null, keyMask: null }),
  ),
  await measured("product, floats, stock tfjs's", product, () => tf.matMul(x, matrix)),
);
await device.dispose();
process.exit(0);
