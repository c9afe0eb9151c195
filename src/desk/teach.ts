import { NvlmError } from '../errors.ts';
import { deskDataset, deskPicture, numbered, pictureRecords, type DeskPicture, type DeskRecord } from './data.ts';
import { Random } from './random.ts';
import { longestName } from './receipt.ts';
import { ask, blankScene, putCell, putText, type Scene } from './scene.ts';
import { withArticle } from './shapes.ts';
import { COLOURS, FOODS, GRIDS, SHAPE_KINDS } from './vocabulary.ts';

/** What can be taught: a shape without a word in any nano model, a document's line with its own question, labels of one's own. */
export const LESSONS = {
  ring: { title: 'A new shape: the ring', make: ringScene },
  due: { title: 'A new document field: the amount due', make: dueScene },
  labels: { title: 'Labels of one’s own: parts by their shape', make: labelScene },
} as const;
export type Lesson = keyof typeof LESSONS;

export interface TeachOptions {
  /** Pictures to learn from, 1–10 000. */
  count: number;
  /** Pictures to measure with, none of them learnt from. */
  heldOut: number;
  /** Pictures of the world as it was, to blend in so that it is not forgotten; text-only questions come with them. */
  replay: number;
  seed: number;
}

/** Three sets of records about one folder of pictures. */
export interface TeachDataset {
  records: DeskRecord[];
  heldOut: DeskRecord[];
  replay: DeskRecord[];
  pictures: DeskPicture[];
}

const MOST = 10_000;
/** Apart from the streams that a data set of the world takes of the same seed. */
const STREAMS = { learnt: 2 ** 40, heldOut: 2 ** 41 };
const REPLAY_SEED = 2 ** 30;

/** Small pictures are learnt from in less time. */
const SMALL_GRIDS = GRIDS.filter(({ cols, rows }) => cols * rows <= 2);

/**
 * What it takes to teach a nano model something new: pictures of the new thing with questions about it, others like
 * them held out, and a replay of what the model knows.
 *
 * @throws NvlmError `usage` when a count or the seed is out of range
 */
export function teachDataset(lesson: Lesson, { count, heldOut, replay, seed }: TeachOptions): TeachDataset {
  for (const [what, n, least] of [
    ['pictures', count, 1],
    ['held-out pictures', heldOut, 0],
    ['replayed pictures', replay, 0],
  ] as const) {
    if (Number.isInteger(n) && n >= least && n <= MOST) continue;
    throw new NvlmError('usage', `${n} ${what} cannot be made.`, `Ask for ${least} to ${MOST}.`);
  }
  const learnt = lessonPictures(lesson, 'learn', count, seed, STREAMS.learnt);
  const measured = lessonPictures(lesson, 'held-out', heldOut, seed, STREAMS.heldOut);
  const old = replay > 0 ? deskDataset({ count: replay, seed: seed + REPLAY_SEED }) : { records: [], pictures: [] };
  return {
    records: learnt.records,
    heldOut: measured.records,
    replay: old.records.map((record) => ({
      ...record,
      id: `replay-${record.id}`,
      ...(record.image !== undefined && { image: renamed(record.image) }),
    })),
    pictures: [...learnt.pictures, ...measured.pictures, ...old.pictures.map((picture) => ({ ...picture, path: renamed(picture.path) }))],
  };
}

function renamed(path: string): string {
  return path.replace('images/', 'images/replay-');
}

function lessonPictures(lesson: Lesson, prefix: string, count: number, seed: number, stream: number) {
  const records: DeskRecord[] = [];
  const pictures: DeskPicture[] = [];
  for (let i = 0; i < count; i++) {
    const scene = LESSONS[lesson].make(new Random(seed, stream + 2 * i));
    const name = `${prefix}-${numbered(i, count)}`;
    const picture = deskPicture(name, scene, seed, stream + 2 * i + 1);
    pictures.push(picture);
    records.push(...pictureRecords(name, picture, scene.questions));
  }
  return { records, pictures };
}

/**
 * One big ring among up to three shapes of the world, all of them of different colours.
 *
 * Everything asked about the ring is asked about the others too, and every colour that is there is once right and once
 * wrong: else "ring", "yes" or "no" would do as the answer to all.
 */
function ringScene(rng: Random): Scene {
  const scene = blankScene('shapes', rng.choice(SMALL_GRIDS));
  const shapes = rng.shuffle(['ring' as const, ...rng.sample(SHAPE_KINDS, rng.randint(0, 3))]);
  const cells = rng.sample(
    Array.from({ length: scene.width * scene.height }, (_, i) => i),
    shapes.length,
  );
  const colours = rng.sample(COLOURS, COLOURS.length);
  shapes.forEach((shape, i) => {
    const [cell, colour] = [cells[i]!, colours[i]!];
    // Small, a ring is hardly told from a circle by an encoder that never learnt to.
    const big = shape === 'ring' || rng.random() < 0.5;
    putCell(scene, Math.floor(cell / scene.width), cell % scene.width, { kind: 'shape', shape, colour, big });
    const subject = shape === 'ring' ? 'ring' : 'beside a ring';
    const about = (task: string, question: string, answer: string) => ask(scene, `${subject}, ${task}`, question, answer);
    about('kind', `What shape is ${colour}?`, shape);
    about('colour', `What colour is the ${shape}?`, colour);
    // Another shape's colour where there is one: to see the colour alone is not enough then.
    const other = shapes.length > 1 ? colours[(i + 1) % shapes.length]! : rng.choice(colours.slice(1));
    about('is there', `Is there ${withArticle(colour)} ${shape}?`, 'yes');
    about('is there', `Is there ${withArticle(other)} ${shape}?`, 'no');
  });
  return scene;
}

/** Words that no question of the world has, a shape each. */
const PARTS: Partial<Record<(typeof SHAPE_KINDS)[number], string>> = { circle: 'WHEEL', square: 'CRATE', triangle: 'SAIL' };

/** One shape anywhere, and the name that its owner has for the part: as many photographs are, one label a picture. */
function labelScene(rng: Random): Scene {
  const scene = blankScene('shapes', rng.choice(SMALL_GRIDS));
  const [shape, label] = rng.choice(Object.entries(PARTS)) as [(typeof SHAPE_KINDS)[number], string];
  const [row, col] = [rng.randint(0, scene.height - 1), rng.randint(0, scene.width - 1)];
  putCell(scene, row, col, { kind: 'shape', shape, colour: rng.choice(COLOURS), big: rng.random() < 0.5 });
  ask(scene, 'part', 'Which part is it?', label);
  return scene;
}

/** A receipt of one to three items and a line DUE with an amount, in any order. */
function dueScene(rng: Random): Scene {
  const scene = blankScene('receipt', rng.choice(SMALL_GRIDS.filter(({ cols }) => cols === 2)));
  const amount = () => `${rng.randint(0, 9)}.${String(rng.randint(0, 99)).padStart(2, '0')}`;
  const names = FOODS.filter((food) => food.length <= longestName(scene.width));
  const lines = rng.shuffle(['DUE', ...rng.sample(names, rng.randint(1, 3))]);
  const rows = rng
    .sample(
      Array.from({ length: scene.height }, (_, i) => i),
      lines.length,
    )
    .sort((a, b) => a - b);
  lines.forEach((line, i) => {
    const price = amount();
    putText(scene, rows[i]!, 0, line);
    putText(scene, rows[i]!, scene.width - 4, price);
    if (line === 'DUE') {
      ask(scene, 'due', 'What must I pay?', price);
      ask(scene, 'due', 'How much is due?', price);
    } else {
      // Lest the amount due become the answer to every such question.
      ask(scene, 'beside an amount due, price', `How much is the ${line}?`, price);
    }
  });
  return scene;
}
