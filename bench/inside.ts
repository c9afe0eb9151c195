/**
 * What looking inside an answer takes beside giving it: the worth of every tile in wall and processor time, and the most memory of a
 * whole look (trace, every layer's attention, lens, worth) beside the most that the chat took before it, the model included. The
 * bundled models describe an example of six tiles; others say some tokens about a picture of 12.
 *
 * `npx tsx bench/inside.ts [MODEL] [BACKEND] [RUNS] [BITS] [REGIONS]`, e.g. `nano-d wasm 5`, or `FOLDER wasm 1 4 1` for a checkpoint
 * whose language model is packed in 4 bits as it loads, with one tile painted over
 */
import * as tf from '@tensorflow/tfjs';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { watchPeakBytes } from '../src/device/peak-bytes.ts';
import { deviceBytes } from '../src/device/tensor-memory.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { wasmModule } from '../src/device/wasm-memory.ts';
import { deskExamples } from '../src/desk/examples.ts';
import { Session } from '../src/engine/chat/session.ts';
import { Inside } from '../src/engine/inside/inside.ts';
import { wholeTiles } from '../src/engine/inside/regions.ts';
import { modelSource } from '../src/headless/model-source.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport, type Measurement } from './report.ts';

const [model = 'nano-d', backend = 'wasm', runs = '5', bits, most] = process.argv.slice(2);
const quantize = bits ? ({ bits: Number(bits) as 4 | 8, groupSize: 64 } as const) : undefined;

const source = await modelSource(model);
const image = await encodePng(
  source.kind === 'bundled'
    ? deskExamples()
        .find(({ id }) => id === 'six-tile-bars')!
        .draw()
    : gradient(640, 480),
);
const messages = [{ role: 'user' as const, content: 'Describe the image.' }];
const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));
const session = await Session.open(await openModelFolder(await openFiles(source, {})), device, { quantize });
const inside = new Inside(session);

interface Measured<T> {
  value: T;
  ms: number;
  cpuMs: number;
  /** Most bytes of tensors, the model's among them. */
  bytes: number;
}

async function measured<T>(what: string, work: () => Promise<T>): Promise<Measured<T>> {
  const watch = watchPeakBytes();
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  try {
    const value = await work();
    const { user, system } = process.cpuUsage(cpu);
    const result = { value, ms: performance.now() - start, cpuMs: (user + system) / 1000, bytes: watch.peak };
    process.stderr.write(`${what}: ${Math.round(result.ms)} ms, ${(result.bytes / 1e6).toFixed(1)} MB\n`);
    return result;
  } finally {
    watch.stop();
  }
}

/** Of wasm, which never shrinks. */
const heap = () => (tf.getBackend() === 'wasm' ? wasmModule().HEAPU8.length : 0);
const resident = () => process.resourceUsage().maxRSS * 1024;

const weights = deviceBytes();
const chat = await measured('chat', () =>
  session.chat({ messages, image, sampling: { temperature: 0 }, maxNewTokens: source.kind === 'bundled' ? 64 : 4 }),
);
const before = { heap: heap(), resident: resident() };
const looks: Measured<unknown>[] = [];
const opened = await measured('open', () => inside.open({ messages, image, answer: chat.value.ids, maxNewTokens: 1 }));
looks.push(opened);
const { trace, layout, layers, hasLens } = opened.value;
for (const kind of ['self', 'cross'] as const) {
  if (layers[kind].length > 0) looks.push(await measured(`${kind}-attention`, () => inside.attention({ trace, kind, how: 'mean' })));
}
if (hasLens) looks.push(await measured('lens', () => inside.lens(trace, layers.self.slice(-1))));
const regions = wholeTiles(layout!.tiles.length).slice(0, most ? Number(most) : undefined);
const worth: Measured<unknown>[] = [];
for (let run = 0; run < Number(runs); run++)
  worth.push(await measured('worth', () => inside.worth({ trace, regions }, { onEvent: () => undefined })));
looks.push(...worth);

const about = `${model}, ${layout!.tiles.length} tiles, prompt of ${opened.value.promptTokens} tokens, answer of ${opened.value.answer.length}`;
const report = (name: string, unit: string, samples: number[]): Measurement => ({
  name: `${about}: ${name}`,
  adapter: device.info.adapter,
  backend: device.info.backend,
  unit,
  samples,
});
const bytes = Math.max(...looks.map((look) => look.bytes));
printReport(
  report(
    `worth of ${regions.length} of them`,
    'ms',
    worth.map(({ ms }) => ms),
  ),
  report(
    `worth of ${regions.length} of them, processor time`,
    'ms',
    worth.map(({ cpuMs }) => cpuMs),
  ),
  report('tensors of the model', 'bytes', [weights]),
  report('most tensors, chat', 'bytes', [chat.bytes]),
  report('most tensors, inside', 'bytes', [bytes]),
  report('most tensors, inside ÷ chat', '', [bytes / chat.bytes]),
  ...(before.heap > 0 ? [report('memory of wasm, inside ÷ chat', '', [heap() / before.heap])] : []),
  report('most resident memory of the process, inside ÷ chat', '', [resident() / before.resident]),
);
process.exit(0);

function gradient(width: number, height: number) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 7 + (at >> 8)) % 251);
  return { width, height, data };
}
