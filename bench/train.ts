/**
 * A training step of D, X and H, with and without activation checkpointing, beside the same model composed of stock
 * tfjs ops and trained by tfjs's own gradients and optimiser: time, CPU time, speed and peak memory of tfjs's tensors.
 * Pictures of 6 tiles and a thumbnail with one question each; SFT, two to a batch. Then eight questions about one picture, apart and
 * packed.
 *
 * `npx tsx bench/train.ts [BACKEND] [STEPS] [MODEL …]`, e.g. `wasm 5 nano-d nano-x nano-h`
 */
import { parseRecords } from '../src/datasets/llava.ts';
import { deskExamples } from '../src/desk/examples.ts';
import { openDevice } from '../src/device/open-device.ts';
import { nodePlatform } from '../src/device/node.ts';
import { watchPeakBytes } from '../src/device/peak-bytes.ts';
import { deviceBytes } from '../src/device/tensor-memory.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { planExamples, tileForModel } from '../src/engine/runs/plan-examples.ts';
import { Session } from '../src/engine/chat/session.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { toPixelValues } from '../src/tiling/pixel-values.ts';
import { parseRun } from '../src/training/run-config.ts';
import { Trainer, type TrainingSample } from '../src/training/trainer.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport, type Measurement } from './report.ts';
import { StockTrainer } from './stock/stock-trainer.ts';

const [backend = 'wasm', steps = '5', ...named] = process.argv.slice(2);
const models = named.length > 0 ? named : ['nano-d', 'nano-x', 'nano-h'];
const BATCH = 2;
/** The first step compiles. */
const WARM_UP = 2;

const example = deskExamples().find(({ tiles, kind }) => tiles === 6 && kind === 'shapes');
if (!example) throw new Error('No example of six tiles.');
const image = await encodePng(example.draw());
const data = JSON.stringify(
  ['first', 'second'].map((id) => ({
    id,
    image: `${id}.png`,
    conversations: [
      { from: 'human', value: '<image>\nDescribe the image.' },
      { from: 'gpt', value: 'Six shapes in six colours on a white ground, and no text.' },
    ],
  })),
);

/** As many as the examples of the drawn world have, of a few words each. */
const QUESTIONS = ['What shape is red?', 'What colour is the star?', 'How many shapes are there?', 'Is there a blue circle?'];
const oneImage = JSON.stringify(
  [...QUESTIONS, ...QUESTIONS].map((question, i) => ({
    id: `q${i}`,
    image: 'first.png',
    conversations: [
      { from: 'human', value: `<image>\n${question}` },
      { from: 'gpt', value: ['circle', 'red', '6', 'yes, one'][i % 4]! },
    ],
  })),
);

interface Kind {
  stock?: boolean;
  checkpointing?: boolean;
  pack?: boolean;
}
const KINDS: Record<string, Kind> = {
  'activation checkpointing off': {},
  'activation checkpointing on': { checkpointing: true },
  'stock tfjs ops': { stock: true },
};
const PACKING: Record<string, Kind> = { apart: {}, packed: { pack: true } };

const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));

interface Measured {
  ms: number[];
  cpuMs: number[];
  /** Most bytes that tensors took beyond the model's, the pictures' features and optimiser state included. */
  peakBytes: number;
  loss: number;
  tokens: number;
}

async function measure(model: string, data: string, { stock, checkpointing = false, pack = false }: Kind): Promise<Measured> {
  const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: model }));
  const session = await Session.open(folder, device);
  const run = parseRun(
    {
      model,
      data: 'bench',
      stage: 'sft',
      batch: BATCH,
      steps: WARM_UP + Number(steps),
      optimizer: { lr: 1e-5, schedule: 'constant' },
      activation_checkpointing: checkpointing,
      pack,
    },
    'bench',
  );
  const before = deviceBytes();
  const watch = watchPeakBytes();
  const trainer = stock ? await StockTrainer.create(session.model, run, device) : await Trainer.create(session.model, run, device);
  const { tiles } = await tileForModel(session.model, image, null);
  const pixels = toPixelValues(tiles.map((tile) => tile.pixels));
  // The frozen part of the model is computed once, beforehand, for both.
  const features = trainer.prepareImage(pixels, tiles.length);
  try {
    const text = session.requireText();
    const { examples } = await planExamples(text, parseRecords(data).records, async () => image, {
      maxTiles: null,
    });
    const batch: TrainingSample[] = examples.map(({ plan }) => ({ plan, image: features }));
    const measured: Measured = { ms: [], cpuMs: [], peakBytes: 0, loss: 0, tokens: 0 };
    for (let step = 0; step < run.steps; step++) {
      const [start, cpu] = [performance.now(), process.cpuUsage()];
      const { loss } = trainer instanceof Trainer ? await trainer.step(step, [batch]) : await trainer.step(batch);
      const { user, system } = process.cpuUsage(cpu);
      if (step < WARM_UP) continue;
      measured.ms.push(performance.now() - start);
      measured.cpuMs.push((user + system) / 1000);
      measured.loss = loss;
    }
    measured.tokens = batch.reduce((sum, { plan }) => sum + plan.inputIds.length, 0);
    return { ...measured, peakBytes: watch.peak - before };
  } finally {
    watch.stop();
    features.dispose();
    trainer.dispose();
    session.dispose();
  }
}

const measurements: Measurement[] = [];

async function compare(model: string, words: string, data: string, kinds: Record<string, Kind>): Promise<void> {
  const { length: samples } = JSON.parse(data) as object[];
  const losses: number[] = [];
  for (const [kind, settings] of Object.entries(kinds)) {
    const { ms, cpuMs, peakBytes, loss, tokens } = await measure(model, data, settings);
    losses.push(loss);
    const of = (name: string, unit: string, values: number[]): Measurement => ({
      name: `${model}: ${name}, SFT, ${words}, 6 + 1 tiles, ${kind}`,
      unit,
      samples: values,
      adapter: device.info.adapter,
      backend: device.info.backend,
    });
    const rate = (count: number) => ms.map((one) => (1000 * count) / one);
    measurements.push(
      of('step', 'ms', ms),
      of("step, this process's CPU time", 'ms', cpuMs),
      of('speed', 'samples/s', rate(samples)),
      of('speed', 'tokens/s', rate(tokens)),
      of('peak memory beyond the model', 'bytes', [peakBytes]),
    );
  }
  // Another loss would be another model.
  const [first = NaN] = losses;
  if (!losses.every((loss) => Math.abs(loss - first) < 1e-3 * first))
    throw new Error(`${model} has the losses ${losses.join(', ')}: these are not the same model.`);
}

for (const model of models) {
  await compare(model, `batch ${BATCH}`, data, KINDS);
  await compare(model, 'eight questions about one picture', oneImage, PACKING);
}
printReport(...measurements);
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
