/**
 * Many recorded decode steps of a decoder in a published model's shapes (random weights) on WebGPU: are they what the stock path says, and
 * does memory stay? The ids that follow a prompt are decoded greedily by recorded steps; then one ordinary pass over prompt and answer
 * says which id is the likeliest at every place, and its logits are held beside those of the last recorded step.
 *
 * `npx tsx bench/recorded.ts [SHAPE] [LAYERS] [STEPS] [BITS]`, e.g. `qwen-0.5b 24 1000 16`. Exits with 1 where it finds a difference.
 */
import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { loadModel } from '../src/nvlm/load-model.ts';
import { Sampler } from '../src/nvlm/sampler.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { nodeFiles } from '../src/weights/node-files.ts';
import { printReport } from './report.ts';
import { decoderJson, withSyntheticDecoder } from './synthetic-decoder.ts';

const [shape = 'qwen-0.5b', layers = '24', count = '1000', bits = '16'] = process.argv.slice(2);
const steps = Number(count);
/** Of logits, the same as between the two in the tests. */
const BOUND = 1e-3;

const json = decoderJson(shape, Number(layers));

function load() {
  const quantize = bits === '8' || bits === '4' ? ({ bits: Number(bits) as 4 | 8, groupSize: 64 } as const) : undefined;
  return withSyntheticDecoder(json, async (folder) => loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: true, quantize }));
}

const device = await openDevice('webgpu', nodePlatform());
const model = await load();
const { device: gpu, queue } = tf.backend() as WebGPUBackend;
let buffers = 0;
const createBuffer = gpu.createBuffer.bind(gpu);
gpu.createBuffer = (descriptor) => {
  buffers++;
  const buffer = createBuffer(descriptor);
  const destroy = buffer.destroy.bind(buffer);
  buffer.destroy = () => {
    buffers--;
    destroy();
  };
  return buffer;
};

const inputIds = Int32Array.of(3, 14, 15, 9, 26);
const sampleOf = (ids: Int32Array) => ({
  plan: { inputIds: ids, crossMask: new Uint8Array(), crossTiles: [], crossTagIds: [], sequenceTiles: [] },
  features: null,
});
const cache = model.newCache(1);
(await device.read(model.prefill([sampleOf(inputIds)], cache, 'last'))).length;
const first = 7;
// Room for the whole answer at once: then nothing is to be made on the way.
const { kvHeads, headDim } = model.config.llm;
cache.reserve(inputIds.length + steps + 1, kvHeads * headDim);
const decoder = model.record(cache, new Sampler({ temperature: 0 }, []), [...inputIds, first]);
if (!decoder) throw new Error('This device or model takes ordinary steps.');

const memory = () => ({
  bytes: device.memoryBytes(),
  tensors: tf.memory().numTensors,
  buffers,
  heap: process.memoryUsage().heapUsed / 1e6,
});
const answer: number[] = [];
const ms: number[] = [];
const heaps: number[] = [];
let early: ReturnType<typeof memory> | undefined;
const submit = decoder['submit'].bind(decoder);
const busy: number[] = [];
decoder['submit'] = (position) => {
  const start = performance.now();
  const id = submit(position);
  busy.push(performance.now() - start);
  return id;
};
const tokens = decoder.tokens(steps, device);
for (let n = 0; n < steps; n++) {
  const start = performance.now();
  answer.push((await tokens.next()).value!);
  ms.push(performance.now() - start);
  globalThis.gc?.();
  heaps.push(process.memoryUsage().heapUsed / 1e6);
  if (n === Math.min(20, steps >> 1)) early = memory();
  if (n % 50 === 0) process.stderr.write(`${n} of ${steps}, ${ms.at(-1)!.toFixed(0)} ms\n`);
}
const late = memory();
// Nothing is queued behind the last step, so its logits are still there.
const recordedLogits = await readBuffer(decoder['pick'].logits, model.config.llm.vocabSize);
await tokens.return();

async function readBuffer(source: GPUBuffer, values: number): Promise<Float32Array> {
  const staging = createBuffer({ size: values * 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, values * 4);
  queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const copy = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return copy;
}

/** Ordinary passes over some rows at a time, for not all logits of them have room. */
const whole = Int32Array.of(...inputIds, first, ...answer);
const stockCache = model.newCache(1);
let otherIds = 0;
let worst = 0;
const ROWS = 64;
for (let from = 0; from < whole.length - 1; from += ROWS) {
  const end = Math.min(whole.length - 1, from + ROWS);
  const logits = model.prefill([sampleOf(whole.slice(0, end))], stockCache, 'all');
  const values = await device.read(logits);
  logits.dispose();
  const vocab = model.config.llm.vocabSize;
  for (let row = from; row < end; row++) {
    if (row < inputIds.length) continue;
    const at = (values as Float32Array).subarray((row - from) * vocab, (row - from + 1) * vocab);
    let best = 0;
    for (let id = 1; id < vocab; id++) if (at[id]! > at[best]!) best = id;
    if (best !== whole[row + 1]) otherIds++;
    if (row === whole.length - 2) for (let id = 0; id < vocab; id++) worst = Math.max(worst, Math.abs(at[id]! - recordedLogits[id]!));
  }
}

const row = (name: string, unit: string, samples: number[]) => ({
  name: `${shape}'s shapes, ${layers} layers, ${bits} bits, ${steps} recorded steps: ${name}`,
  unit,
  samples,
  adapter: device.info.adapter,
  backend: device.info.backend,
});
printReport(
  row('a token', 'ms', ms),
  row('JavaScript a token, its recording left out', 'ms', busy.slice(1)),
  row('ids other than the stock path says', '', [otherIds]),
  row("largest difference of the last step's logits", '', [worst]),
  row('device memory, after 20 steps and at the end', 'bytes', [early!.bytes, late.bytes]),
  row('GPU buffers, after 20 steps and at the end', '', [early!.buffers, late.buffers]),
  row('tensors, after 20 steps and at the end', '', [early!.tensors, late.tensors]),
  row('heap, least of the first and of the last half', 'MB', [
    Math.min(...heaps.slice(0, steps >> 1)),
    Math.min(...heaps.slice(steps >> 1)),
  ]),
);
const isSame =
  otherIds === 0 && worst <= BOUND && early!.bytes === late.bytes && early!.buffers === late.buffers && early!.tensors === late.tensors;
await device.dispose();
process.exit(isSame ? 0 : 1);
