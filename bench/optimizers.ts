/**
 * How many steps AdamW and Muon need: nano-d's language model, forgotten and drawn anew, learns the text questions of the
 * desk world, with each optimiser at several learning rates, and the loss on held-out questions is measured on the way.
 * Steps are compared at the loss that the best AdamW run ends with.
 *
 * `npx tsx bench/optimizers.ts [BACKEND] [STEPS]`, e.g. `wasm 100`
 */
import * as tf from '@tensorflow/tfjs';
import { parseRecords } from '../src/datasets/llava.ts';
import { deskDataset } from '../src/desk/data.ts';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { Session } from '../src/engine/chat/session.ts';
import { planExamples } from '../src/engine/runs/plan-examples.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { Batches } from '../src/training/batches.ts';
import { countLabels } from '../src/training/labels.ts';
import { parseRun } from '../src/training/run-config.ts';
import { Trainer, type TrainingSample } from '../src/training/trainer.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport, type Measurement } from './report.ts';

const [backend = 'wasm', steps = '100'] = process.argv.slice(2);
const MODEL = 'nano-d';
const BATCH = 8;
const QUESTIONS = { learnt: 1200, heldOut: 32 };
const MEASURED_EVERY = 10;
const SEED = 1;

/** The same schedule for all; of each optimiser the rate that did best counts. */
const OPTIMIZERS = [
  { name: 'adamw', lr: 2e-3 },
  { name: 'adamw', lr: 4e-3 },
  { name: 'muon', lr: 0.02, adamw_lr: 4e-3 },
];

const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));
const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: MODEL }));
const texts = deskDataset({ count: QUESTIONS.learnt, seed: SEED }).records.filter(({ image }) => image === undefined);

interface Curve {
  /** Held-out loss by steps taken. */
  losses: { steps: number; loss: number }[];
  stepMs: number[];
}

async function learn(optimizer: (typeof OPTIMIZERS)[number]): Promise<Curve> {
  const session = await Session.open(folder, device);
  const run = parseRun(
    {
      model: MODEL,
      data: 'text questions',
      trainable: ['language_model'],
      batch: BATCH,
      steps: Number(steps),
      seed: SEED,
      optimizer: { ...optimizer, warmup: 10, weight_decay: 0.01, betas: [0.9, 0.98] },
    },
    'bench',
  );
  const { records } = parseRecords(JSON.stringify(texts.slice(0, QUESTIONS.learnt + QUESTIONS.heldOut)));
  const noImage = () => Promise.reject(new Error('There are no pictures.'));
  const { examples } = await planExamples(session.requireText(), records, noImage, { maxTiles: null });
  const samples = examples.map(({ plan }): TrainingSample => ({ plan, image: null }));
  const [heldOut, learnt] = [samples.slice(0, QUESTIONS.heldOut), samples.slice(QUESTIONS.heldOut)];
  const lengths = learnt.map(({ plan }) => plan.inputIds.length);
  const batches = new Batches(lengths, [], { ...run, blendRatio: 0 });
  const trainer = await Trainer.create(session.model, run, device);
  try {
    forget(trainer);
    const curve: Curve = { losses: [], stepMs: [] };
    for (let step = 0; step < run.steps; step++) {
      const start = performance.now();
      const { loss } = await trainer.step(step, [batches.at(step).map((index) => learnt[index]!)]);
      curve.stepMs.push(performance.now() - start);
      if ((step + 1) % MEASURED_EVERY !== 0) continue;
      trainer.settle();
      const measured = await heldOutLoss(trainer, heldOut);
      curve.losses.push({ steps: step + 1, loss: measured });
      process.stderr.write(`${named(optimizer)}: step ${step + 1}, loss ${loss.toFixed(3)}, held out ${measured.toFixed(3)}\n`);
    }
    return curve;
  } finally {
    trainer.dispose();
    session.dispose();
  }
}

/** As such a model begins: matrices and the table small and random, norms 1, biases 0. */
function forget(trainer: Trainer): void {
  trainer.tensors.forEach(({ name, shape, variable }, i) =>
    tf.tidy(() => {
      const isNorm = name.endsWith('norm.weight');
      if (shape.length >= 2) variable.assign(tf.randomNormal(variable.shape, 0, 0.02, 'float32', SEED + i));
      else variable.assign(isNorm ? tf.ones(variable.shape) : tf.zeros(variable.shape));
    }),
  );
}

/** Mean over the labelled tokens. */
async function heldOutLoss(trainer: Trainer, samples: readonly TrainingSample[]): Promise<number> {
  const labels = samples.reduce((sum, { plan }) => sum + countLabels(plan), 0);
  return (await trainer.evaluate(samples)) / labels;
}

function named({ name, lr, ...more }: (typeof OPTIMIZERS)[number]): string {
  return `${name}, lr ${lr}${'adamw_lr' in more ? `, adamw_lr ${more.adamw_lr}` : ''}`;
}

const curves = [];
for (const optimizer of OPTIMIZERS) curves.push({ optimizer, ...(await learn(optimizer)) });
const last = ({ losses }: Curve) => losses.at(-1)!.loss;
const target = Math.min(...curves.filter(({ optimizer }) => optimizer.name === 'adamw').map(last));
const measurements = curves.flatMap(({ optimizer, ...curve }): Measurement[] => {
  const of = (what: string, unit: string, values: number[]): Measurement => ({
    name: `${MODEL}'s language model from nothing, ${named(optimizer)}: ${what}`,
    unit,
    samples: values,
    adapter: device.info.adapter,
    backend: device.info.backend,
  });
  const reached = curve.losses.find(({ loss }) => loss <= target);
  return [
    of(`held-out loss after ${steps} steps`, 'nats', [last(curve)]),
    of('a step', 'ms', curve.stepMs),
    ...(reached ? [of(`steps to the best AdamW run's last loss, ${target.toFixed(3)}`, 'steps', [reached.steps])] : []),
  ];
});
printReport(...measurements);
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
