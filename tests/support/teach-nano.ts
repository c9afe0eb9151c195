import { parseRecords } from '../../src/datasets/llava.ts';
import { parseConversations } from '../../src/datasets/questions.ts';
import type { DeskRecord } from '../../src/desk/data.ts';
import { teachDataset } from '../../src/desk/teach.ts';
import type { Device } from '../../src/device/types.ts';
import { evaluate } from '../../src/engine/measure/eval.ts';
import { Session } from '../../src/engine/chat/session.ts';
import { parseRun, train } from '../../src/engine/runs/train.ts';
import { MemoryFolder } from '../../src/files/memory-folder.ts';
import { encodePng } from '../../src/tiling/encode-png.ts';
import type { ModelFolder } from '../../src/weights/model-folder.ts';

/** Large enough to learn something, small enough for every run of the tests. */
export const SMALL_LESSON = { count: 40, heldOut: 20, steps: 60 };

/** Shares of right answers about held-out pictures. */
export interface TaughtScores {
  /** What shape has the ring's colour? */
  ring: number;
  /** What shape has another's? */
  neighbour: number;
}

const QUESTIONS = ['shapes: ring, kind', 'shapes: beside a ring, kind'] as const;

/**
 * Teaches nano-d the word "ring" on a small scale: a few steps with a blend of what it knew, measured on held-out
 * pictures before and after.
 */
export async function teachRing(
  folder: ModelFolder,
  device: Device,
  { count, heldOut, steps }: { count: number; heldOut: number; steps: number },
): Promise<{ before: TaughtScores; after: TaughtScores }> {
  const made = teachDataset('ring', { count, heldOut, replay: 10, seed: 1 });
  const pictures = new Map(made.pictures.map((picture) => [picture.path, picture]));
  const readImage = (path: string) => encodePng(pictures.get(path)!.draw());
  const asked = (records: DeskRecord[]) => JSON.stringify(records.filter(({ task }) => QUESTIONS.some((name) => name === task)));
  const run = parseRun(
    {
      model: 'nano-d',
      data: 'ring',
      blend: { data: 'replay', ratio: 0.35 },
      batch: 4,
      steps,
      seed: 1,
      // Five times the rate of bench/teach: few steps for it, and less to keep.
      optimizer: { lr: 1e-3, betas: [0.9, 0.99], warmup: 3, weight_decay: 0.01 },
    },
    'run',
  );
  const session = await Session.open(folder, device);
  const score = async (): Promise<TaughtScores> => {
    const { questions } = parseConversations(asked(made.heldOut));
    const { tasks } = await evaluate(questions, (request) => session.chat(request), { readImage });
    const [ring, neighbour] = QUESTIONS.map((name) => tasks[name]!.accuracy);
    return { ring: ring!, neighbour: neighbour! };
  };
  try {
    const before = await score();
    const small = made.replay.filter(({ tiles = 0 }) => tiles <= 2);
    await train({
      model: session.model,
      folder,
      text: session.requireText(),
      device,
      run,
      data: parseRecords(asked(made.records)),
      textData: null,
      blend: { ...parseRecords(JSON.stringify(small)), folder: '' },
      heldOut: null,
      readImage,
      adapter: null,
      output: new MemoryFolder(),
      resume: false,
    });
    return { before, after: await score() };
  } finally {
    session.dispose();
  }
}
