/**
 * A training step of D, X and H, with and without activation checkpointing: time, speed and peak memory of tfjs's
 * tensors. Pictures of 6 tiles and a thumbnail with one question each; SFT, two to a batch.
 *
 * `npx tsx bench/train.ts [BACKEND] [STEPS] [MODEL …]`, e.g. `wasm 5 nano-d nano-x nano-h`
 */
import * as tf from '@tensorflow/tfjs';
import { deskExamples } from '../src/desk/examples.ts';
import { openDevice } from '../src/device/open-device.ts';
import { nodePlatform } from '../src/device/node.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { Session } from '../src/engine/session.ts';
import { parseRun, train, type RunFolder, type TrainStep } from '../src/engine/train.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport, type Measurement } from './report.ts';

const [backend = 'wasm', steps = '5', ...named] = process.argv.slice(2);
const models = named.length > 0 ? named : ['nano-d', 'nano-x', 'nano-h'];
/** The first step encodes the pictures and compiles. */
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

/** What a run writes is of no interest here. */
const nowhere: RunFolder = {
  read: async () => null,
  write: async () => undefined,
  append: async () => undefined,
  writeParts: async () => undefined,
};

const device = await openDevice(backend as BackendChoice, nodePlatform());

/** Steps after the warm-up, and the most bytes that tensors took beyond those of the model before the run. */
async function measure(
  model: string,
  activationCheckpointing: boolean,
): Promise<{ steps: TrainStep[]; peakBytes: number }> {
  const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: model }));
  const session = await Session.open(folder, device);
  const run = parseRun(
    {
      model,
      data: 'bench',
      stage: 'sft',
      batch: 2,
      steps: WARM_UP + Number(steps),
      shuffle: false,
      optimizer: { lr: 1e-6 },
      activation_checkpointing: activationCheckpointing,
    },
    'bench',
  );
  const engine = tf.engine();
  const before = engine.state.numBytes;
  const runKernel = engine.runKernel.bind(engine);
  let peak = 0;
  (engine as unknown as { runKernel: typeof runKernel }).runKernel = (...args) => {
    const result = runKernel(...args);
    peak = Math.max(peak, engine.state.numBytes);
    return result as never;
  };
  const done: TrainStep[] = [];
  try {
    const text = session.requireText();
    const request = { model: session.model, folder, text, device, run, data, textData: null, blend: null };
    await train(
      { ...request, readImage: async () => image, adapter: null, output: nowhere, resume: false },
      { onStep: (step) => done.push(step) },
    );
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
    session.dispose();
  }
  return { steps: done.slice(WARM_UP), peakBytes: peak - before };
}

const measurements: Measurement[] = [];
for (const model of models) {
  for (const checkpointing of [false, true]) {
    const { steps: measured, peakBytes } = await measure(model, checkpointing);
    const of = (name: string, unit: string, samples: number[]): Measurement => ({
      name: `${model}: ${name}, SFT, batch 2, 6 + 1 tiles, activation checkpointing ${checkpointing ? 'on' : 'off'}`,
      unit,
      samples,
      adapter: device.info.adapter,
      backend: device.info.backend,
    });
    measurements.push(
      of(
        'step',
        'ms',
        measured.map(({ ms }) => ms),
      ),
      of(
        'speed',
        'tokens/s',
        measured.map(({ ms, tokens }) => (1000 * tokens) / ms),
      ),
      of('peak memory beyond the model', 'bytes', [peakBytes]),
    );
  }
}
printReport(...measurements);
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
