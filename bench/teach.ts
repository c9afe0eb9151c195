/**
 * Teaches nano-d something it does not know from 40 pictures, by the run file teach/LESSON.run.json: right answers about
 * held-out pictures of the new thing and about the old tasks, before and after.
 *
 * `npx tsx bench/teach.ts [LESSON] [SEED] [BACKEND] [STEPS]`, LESSON `ring` or `due`, SEED that of all pictures and of
 * the run. The same by hand:
 *
 *     npx nvlm data desk --teach ring --count 40 --replay 400 --out .cache/teach/ring
 *     npx nvlm train --config bench/teach/ring.run.json
 *     npx nvlm eval --model .cache/teach/ring-run/model --data .cache/teach/ring/held-out.json
 *     npx nvlm eval --model .cache/teach/ring-run/model --data tests/fixtures/nano-eval
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseRecords } from '../src/datasets/llava.ts';
import { parseConversations } from '../src/datasets/questions.ts';
import { LESSONS, teachDataset, type Lesson } from '../src/desk/teach.ts';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { evaluate } from '../src/engine/measure/eval.ts';
import { Session } from '../src/engine/chat/session.ts';
import { parseRun, train } from '../src/engine/runs/train.ts';
import { MemoryFolder } from '../src/files/memory-folder.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport, type Measurement } from './report.ts';

const [lesson = 'ring', seed = '1', backend = 'wasm', steps] = process.argv.slice(2);
if (!Object.keys(LESSONS).includes(lesson)) throw new Error(`There is no lesson ${lesson}.`);

/** Pictures of the old world to blend in: so many that the run sees none of their questions twice. */
const REPLAY = 400;
const HELD_OUT = 40;

const file = new URL(`teach/${lesson}.run.json`, import.meta.url);
const parsed = parseRun(JSON.parse(await readFile(file, 'utf8')), fileURLToPath(file));
const run = { ...parsed, seed: Number(seed), steps: steps === undefined ? parsed.steps : Number(steps) };
const made = teachDataset(lesson as Lesson, { count: 40, heldOut: HELD_OUT, replay: REPLAY, seed: run.seed });
const pictures = new Map(made.pictures.map((picture) => [picture.path, picture]));
/** Kept: every question about a picture reads it again. */
const files = new Map<string, Promise<Uint8Array>>();
function drawn(path: string): Promise<Uint8Array> {
  const file = files.get(path) ?? encodePng(pictures.get(path)!.draw());
  files.set(path, file);
  return file;
}
const stored = new URL('../tests/fixtures/nano-eval/', import.meta.url);
const beside = ({ task }: { task: string }) => task.includes('beside');
const sets = {
  'the new thing, held-out pictures': {
    data: JSON.stringify(made.heldOut.filter((record) => !beside(record))),
    readImage: drawn,
  },
  'what stands beside it, held-out pictures': {
    data: JSON.stringify(made.heldOut.filter(beside)),
    readImage: drawn,
  },
  'the old tasks': {
    data: await readFile(new URL('data.json', stored), 'utf8'),
    readImage: (path: string) => readFile(fileURLToPath(new URL(path, stored))),
  },
};

const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));
const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: run.model }));
const session = await Session.open(folder, device);
const measurements: Measurement[] = [];
const add = (name: string, unit: string, samples: number[]) =>
  measurements.push({
    name: `${run.model}, ${LESSONS[lesson as Lesson].title}, seed ${run.seed}: ${name}`,
    unit,
    samples,
    adapter: device.info.adapter,
    backend: device.info.backend,
  });

async function measure(when: string): Promise<void> {
  for (const [name, { data, readImage }] of Object.entries(sets)) {
    const { questions } = parseConversations(data);
    if (questions.length === 0) continue;
    const { accuracy, tasks } = await evaluate(questions, (request) => session.chat(request), { readImage });
    add(`${name}, ${questions.length} questions, ${when}`, '% right', [100 * accuracy]);
    process.stderr.write(`${name} ${when}: ${(100 * accuracy).toFixed(1)} %\n`);
    if (readImage !== drawn) continue;
    for (const [task, { n, accuracy: share }] of Object.entries(tasks)) add(`${task}, ${n} questions, ${when}`, '% right', [100 * share]);
  }
}

await measure('before');
const stepMs: number[] = [];
await train(
  {
    model: session.model,
    folder,
    text: session.requireText(),
    device,
    run,
    data: parseRecords(JSON.stringify(made.records)),
    textData: null,
    blend: { ...parseRecords(JSON.stringify(made.replay)), folder: '' },
    heldOut: null,
    readImage: drawn,
    adapter: null,
    output: new MemoryFolder(),
    resume: false,
  },
  {
    onStep: ({ step, loss, ms }) => {
      stepMs.push(ms);
      process.stderr.write(`step ${step + 1} of ${run.steps}, loss ${loss.toPrecision(3)}\n`);
    },
  },
);
add('training step', 'ms', stepMs);
await measure('after');
printReport(...measurements);
session.dispose();
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
