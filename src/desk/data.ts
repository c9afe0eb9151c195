import { NvlmError } from '../errors.ts';
import { drawScene, randomStyle } from './draw.ts';
import type { Picture } from './draw.ts';
import { makeScene } from './make-scene.ts';
import { Random } from './random.ts';
import type { Question, Scene } from './scene.ts';
import { makeTextQuestion } from './text-questions.ts';

/** One record of LLaVA's JSON, one turn; text-only records have neither `image` nor `tiles`. */
export interface DeskRecord {
  id: string;
  /** Path beside data.json. */
  image?: string;
  task: string;
  /** Regular tiles of the picture at a tile size of 112 px. */
  tiles?: number;
  conversations: [{ from: 'human'; value: string }, { from: 'gpt'; value: string }];
}

export interface DeskPicture {
  /** As in the records, e.g. `images/000.png`. */
  path: string;
  scene: Scene;
  /** The same bytes at every call. Drawn on demand: ten thousand pictures do not fit into memory. */
  draw(): Picture;
}

/** Picture `name` of a data set; its looks are drawn from stream `stream` of the seed. */
export function deskPicture(name: string, scene: Scene, seed: number, stream: number): DeskPicture {
  return {
    path: `images/${name}.png`,
    scene,
    draw: () => {
      const looks = new Random(seed, stream);
      return drawScene(scene, randomStyle(looks), looks);
    },
  };
}

/** One record a question; ids are `name-0`, `name-1` … */
export function pictureRecords(name: string, { path, scene }: DeskPicture, questions: readonly Question[]): DeskRecord[] {
  return questions.map(({ task, question, answer }, k) => ({
    id: `${name}-${k}`,
    image: path,
    task,
    tiles: scene.grid.cols * scene.grid.rows,
    conversations: conversation(`<image>\n${question}`, answer),
  }));
}

export interface DeskDataset {
  /** Pictures' records in order, then the text-only ones. */
  records: DeskRecord[];
  pictures: DeskPicture[];
}

export interface DeskOptions {
  /** Number of pictures, 1–100 000. Each brings five records, and each two of them three text-only records. */
  count: number;
  /** Any safe integer. Picture k is the same for every `count`. */
  seed: number;
}

const QUESTIONS_A_PICTURE = 5;
const TEXT_A_PICTURE = 1.5;
const MOST = 100_000;

/**
 * A data set of the desk world in LLaVA's form: pictures in the world's proportions with five questions each, and
 * text-only questions in the proportion of the nano models' evaluation set (150 beside 100 pictures).
 *
 * @throws NvlmError `usage` when count or seed is out of range
 */
export function deskDataset({ count, seed }: DeskOptions): DeskDataset {
  if (!Number.isInteger(count) || count < 1 || count > MOST) {
    throw new NvlmError('usage', `A data set of ${count} pictures cannot be made.`, `Ask for 1 to ${MOST} pictures.`);
  }
  if (!Number.isSafeInteger(seed)) {
    throw new NvlmError('usage', `${seed} is not a seed.`, 'Give a whole number, e.g. 1.');
  }
  const records: DeskRecord[] = [];
  const pictures: DeskPicture[] = [];
  for (let i = 0; i < count; i++) {
    // Streams apart from each other, so that picture and text k do not depend on how many are asked for.
    const rng = new Random(seed, 3 * i);
    const scene = makeScene(rng);
    const name = numbered(i, count);
    const picture = deskPicture(name, scene, seed, 3 * i + 1);
    pictures.push(picture);
    records.push(...pictureRecords(name, picture, pickQuestions(scene.questions, QUESTIONS_A_PICTURE, rng)));
  }
  const texts = Math.round(count * TEXT_A_PICTURE);
  for (let i = 0; i < texts; i++) {
    const { task, question, answer } = makeTextQuestion(new Random(seed, 3 * i + 2));
    records.push({ id: `text-${numbered(i, texts)}`, task, conversations: conversation(question, answer) });
  }
  return { records, pictures };
}

function conversation(question: string, answer: string): DeskRecord['conversations'] {
  return [
    { from: 'human', value: question },
    { from: 'gpt', value: answer },
  ];
}

/** At least three digits, and as many as the last number needs, so that names sort. */
export function numbered(i: number, count: number): string {
  return String(i).padStart(Math.max(3, String(count - 1).length), '0');
}

/**
 * Relative chance of a task not yet chosen for the picture: fitted to how often the evaluation set asks each.
 * Things that are not there and the kind of picture are asked about seldom, lest a model learn to deny everything.
 */
const TASK_WEIGHTS: Record<string, number> = {
  'shapes: colour': 0.6,
  'shapes: size': 0.6,
  'shapes: where': 0.6,
};
const RARE_TASK = /: (absent|what)$/;
const RARE_WEIGHT = 0.12;
const REPEATED_WEIGHT = 0.03;

/** `count` different questions (fewer if there are not so many), of different tasks as far as possible. */
export function pickQuestions(questions: readonly Question[], count: number, rng: Random): Question[] {
  const left = new Map<string, Question[]>();
  const wordings = new Set<string>();
  for (const question of rng.shuffle([...questions])) {
    // A question may stand twice in a scene to be drawn more often; asking it twice is no use.
    if (wordings.has(question.question)) continue;
    wordings.add(question.question);
    left.set(question.task, [...(left.get(question.task) ?? []), question]);
  }
  const picked: Question[] = [];
  const taken = new Set<string>();
  while (picked.length < count && left.size > 0) {
    const tasks = [...left.keys()];
    const weight = (task: string) => (RARE_TASK.test(task) ? RARE_WEIGHT : (TASK_WEIGHTS[task] ?? 1));
    const task = rng.weighted(
      tasks,
      tasks.map((t) => (taken.has(t) ? REPEATED_WEIGHT : weight(t))),
    );
    const group = left.get(task) ?? [];
    const question = group.shift();
    if (question) picked.push(question);
    if (group.length === 0) left.delete(task);
    taken.add(task);
  }
  return picked;
}
