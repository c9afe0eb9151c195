/**
 * Which method the page should start with: each lesson learnt with the page's own run files (methods/METHOD.run.json) at the length
 * "Teach one thing", with and without "Keep the old abilities".
 *
 * `npx tsx bench/default-method.ts [LESSONS] [METHODS] [SEEDS] [BACKEND]`, comma-separated; all three lessons, `lora`, `lora+old` and
 * `decoder+old`, seeds 1 to 3, wasm if not given. Prints one JSON report a lesson, method and measure, a sample a seed.
 * A run that is done is kept in .cache/default-method and not done again.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
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

/** Run files that the page writes; a test of the page holds them to that. */
const METHODS = ['lora', 'lora+old', 'decoder+old'];
/** As the page draws: pictures to learn from and to measure on, and of the old world. */
const PICTURES = { count: 40, heldOut: 40, replay: 60 };

const [lessons = Object.keys(LESSONS).join(), methods = METHODS.join(), seeds = '1,2,3', backend = 'wasm'] = process.argv.slice(2);
const kept = new URL('../.cache/default-method/', import.meta.url);
const stored = new URL('../tests/fixtures/nano-eval/', import.meta.url);
const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));
const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: 'nano-d' }));

/** % right of the new questions, and of the old world's. */
interface Score {
  learnt: number;
  old: number;
}

async function scoreOf(session: Session, asked: { data: string; readImage: (path: string) => Promise<Uint8Array> }): Promise<number> {
  const { questions } = parseConversations(asked.data);
  const { accuracy } = await evaluate(questions, (request) => session.chat(request), asked);
  return 100 * accuracy;
}

async function run(lesson: Lesson, name: string, seed: number): Promise<{ before: Score; after: Score }> {
  const done = await readFile(new URL(`${lesson}-${name}-${seed}.json`, kept), 'utf8').catch(() => null);
  if (done) return JSON.parse(done) as { before: Score; after: Score };
  const path = fileURLToPath(new URL(`methods/${name}.run.json`, import.meta.url));
  const file = { ...parseRun(JSON.parse(await readFile(path, 'utf8')), path), seed };
  const made = teachDataset(lesson, { ...PICTURES, seed });
  const pictures = new Map(made.pictures.map((picture) => [picture.path, picture]));
  const drawn = (path: string) => encodePng(pictures.get(path)!.draw());
  const learnt = { data: JSON.stringify(made.heldOut), readImage: drawn };
  const old = {
    data: await readFile(new URL('data.json', stored), 'utf8'),
    readImage: (path: string) => readFile(fileURLToPath(new URL(path, stored))),
  };
  const session = await Session.open(folder, device);
  try {
    const before = { learnt: await scoreOf(session, learnt), old: await baseOnOld(session, old) };
    await train(
      {
        model: session.model,
        folder,
        text: session.requireText(),
        device,
        run: file,
        data: parseRecords(JSON.stringify(made.records)),
        textData: null,
        blend: file.blend ? { ...parseRecords(JSON.stringify(made.replay)), folder: '' } : null,
        heldOut: null,
        readImage: drawn,
        adapter: null,
        output: new MemoryFolder(),
        resume: false,
      },
      {
        onStep: ({ step, loss }) =>
          step % 50 === 49 && process.stderr.write(`${lesson} ${name} ${seed}: step ${step + 1}, loss ${loss.toPrecision(3)}\n`),
      },
    );
    const after = { learnt: await scoreOf(session, learnt), old: await scoreOf(session, old) };
    process.stderr.write(`${lesson} ${name} ${seed}: ${JSON.stringify({ before, after })}\n`);
    await mkdir(kept, { recursive: true });
    await writeFile(new URL(`${lesson}-${name}-${seed}.json`, kept), JSON.stringify({ before, after }));
    return { before, after };
  } finally {
    session.dispose();
  }
}

/** The same before every run. */
let base: number | null = null;
async function baseOnOld(session: Session, old: Parameters<typeof scoreOf>[1]): Promise<number> {
  return (base ??= await scoreOf(session, old));
}

const measurements = new Map<string, Measurement>();
for (const seed of seeds.split(',').map(Number)) {
  for (const lesson of lessons.split(',') as Lesson[]) {
    for (const name of methods.split(',')) {
      const { before, after } = await run(lesson, name, seed);
      for (const [what, sample] of [
        ['the new thing, before', before.learnt],
        ['the new thing, after', after.learnt],
        ['the old 650, before', before.old],
        ['the old 650, after', after.old],
      ] as const) {
        const title = `nano-d, ${LESSONS[lesson].title}, ${name}: ${what}`;
        const { adapter, backend: used } = device.info;
        const one = measurements.get(title) ?? { name: title, unit: '% right', samples: [], adapter, backend: used };
        one.samples.push(sample);
        measurements.set(title, one);
      }
    }
  }
}
printReport(...measurements.values());
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
