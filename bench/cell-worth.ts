/**
 * Whether what the worth of cells points at is what the answer was read from: on freshly drawn pictures that a model reads right, for
 * every character of the answer that stands in one cell of the picture alone, is that cell the one worth most? The same of attention.
 *
 * `npx tsx bench/cell-worth.ts [MODEL] [QUESTIONS] [SEED] [BACKEND]`
 */
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { drawScene, randomStyle } from '../src/desk/draw.ts';
import { makeScene } from '../src/desk/make-scene.ts';
import { Random } from '../src/desk/random.ts';
import type { Scene } from '../src/desk/scene.ts';
import { Session } from '../src/engine/chat/session.ts';
import type { InsideTrace } from '../src/engine/inside/inside-api.ts';
import { Inside } from '../src/engine/inside/inside.ts';
import { everyCell } from '../src/engine/inside/regions.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';

const [model = 'nano-d', questions = '40', seed = '11', backend = 'wasm'] = process.argv.slice(2);
const device = await openDevice(backend as BackendChoice, nodePlatform({ threads: 1 }));
const session = await Session.open(await openModelFolder(await openFiles({ kind: 'bundled', id: model }, {})), device);
const inside = new Inside(session);

/** Questions whose answer is read off one place: a code of a note, the letter of a bar. */
const READING = ['note: read', 'note: line', 'note: place', 'chart: highest', 'chart: bar colour'];

const random = new Random(Number(seed), 0);
const counts = { asked: 0, right: 0, characters: 0, worth: 0, attention: 0, single: 0, singleWorth: 0 };
while (counts.asked < Number(questions)) {
  const scene = makeScene(random);
  const asked = scene.questions.filter(({ task }) => READING.includes(task));
  const picture = await encodePng(drawScene(scene, randomStyle(random), random));
  for (const { question, answer } of asked.slice(0, 2)) {
    if (counts.asked >= Number(questions)) break;
    counts.asked++;
    const about = await inside.open({ messages: [{ role: 'user', content: question }], image: picture, maxNewTokens: 32 });
    if (about.text !== answer) continue;
    counts.right++;
    await judge(about, scene);
    process.stderr.write(`\r${JSON.stringify(counts)}`);
  }
}
process.stdout.write(
  `${JSON.stringify({ model, backend: device.info.backend, adapter: device.info.adapter, seed: Number(seed), ...counts, share: counts.worth / counts.characters, singleShare: counts.singleWorth / counts.single })}\n`,
);
process.exit(0);

async function judge(about: InsideTrace, scene: Scene): Promise<void> {
  const cells = about.layout!.cellsAcross;
  const worth: number[][] = [];
  await inside.worth(
    { trace: about.trace, regions: everyCell(about.layout!) },
    { onEvent: (event) => (worth[event.region] = event.worth) },
  );
  const look = await inside.attention({ trace: about.trace, kind: about.layers.cross.length > 0 ? 'cross' : 'self', how: 'mean' });
  about.answer.forEach(({ text }, token) => {
    const holders = scene.cells.flatMap((cell, at) => (cell?.kind === 'character' && cell.character === text ? [at] : []));
    if (holders.length !== 1) return;
    const [column, row] = [holders[0]! % scene.width, Math.floor(holders[0]! / scene.width)];
    const tile = Math.floor(row / cells) * about.layout!.grid.cols + Math.floor(column / cells);
    const region = tile * cells ** 2 + (row % cells) * cells + (column % cells);
    const weights = about.keys[about.layers.cross.length > 0 ? 'cross' : 'self']
      .filter(({ owner }) => owner === 'tile')
      .flatMap(({ start, end }) => [...look.values.subarray(token * look.keys + start, token * look.keys + end)]);
    const hit = largestAt(worth.map((tokens) => tokens[token]!)) === region;
    counts.characters++;
    counts.worth += Number(hit);
    counts.attention += Number(largestAt(weights) === region);
    if (about.answer.length > 1) return;
    counts.single++;
    counts.singleWorth += Number(hit);
  });
}

function largestAt(values: readonly number[]): number {
  return values.reduce((best, value, at) => (value > values[best]! ? at : best), 0);
}
