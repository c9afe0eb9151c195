import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { DeskPicture, DeskRecord } from '../desk/data.ts';
import type { Lesson } from '../desk/teach.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';

interface DeskOptions extends CommonOptions {
  teach?: string;
  heldOut: number;
  replay: number;
  count?: number;
  seed: number;
  out?: string;
  force?: boolean;
}

const MOST_PICTURES = 100_000;
const MOST_TAUGHT = 10_000;

export function addDataDesk(data: Command, run: Run): void {
  withCommonOptions(
    data
      .command('desk')
      .description('Draw notes, receipts, bar charts and shapes, the world that the nano models read, with questions and answers.')
      .option(
        '--count <n>',
        'pictures (required); five questions each, and three text-only ones for every two',
        wholeNumber(1, MOST_PICTURES),
      )
      .option('--teach <lesson>', 'draw something new to the models instead, with held-out and replay.json: ring, due, labels')
      .option('--held-out <n>', 'with --teach: further pictures, for held-out.json', wholeNumber(0, MOST_TAUGHT), 60)
      .option('--replay <n>', 'with --teach: pictures of the old world, for replay.json', wholeNumber(0, MOST_TAUGHT), 120)
      .option('--seed <n>', 'equal seeds draw equal data', wholeNumber(0), 1)
      .option('--out <folder>', 'required: where data.json (LLaVA) and images/ go')
      .option('--force', 'write into a folder that is not empty'),
  ).action((options: DeskOptions) => run(options, (context) => drawDesk(options, context)));
}

async function drawDesk(options: DeskOptions, { signal, progress }: Context) {
  const { seed, force } = options;
  const count = required(options.count, '--count');
  const out = required(options.out, '--out');
  const present = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new NvlmError('usage', `"${out}" is not a folder that can be written to.`, 'Name another with --out.', {
      cause: error,
    });
  });
  if (present.length > 0 && !force) {
    throw new NvlmError('usage', `The folder "${out}" is not empty.`, 'Name another with --out, or add --force to write into it.');
  }
  const { pictures, files } = await makeData(options, count);
  // The encoder is not needed to find out that options are wrong.
  const { encodePng } = await import('../tiling/encode-png.ts');
  await mkdir(join(out, dirname(pictures[0]?.path ?? '.')), { recursive: true });
  for (const [i, picture] of pictures.entries()) {
    throwIfAborted(signal);
    await writeFile(join(out, picture.path), await encodePng(picture.draw()));
    progress.update('Drawing', i + 1, pictures.length, 'pictures');
  }
  // data.json last, so that a folder with it is complete.
  for (const [name, records] of Object.entries(files).reverse()) {
    await writeFile(join(out, name), `${JSON.stringify(records, null, 1)}\n`);
  }
  const records = Object.values(files).reduce((sum, some) => sum + some.length, 0);
  return {
    document: { out, seed, pictures: pictures.length, records },
    text: `${pictures.length} pictures and ${records} questions in ${out}`,
  };
}

/** Pictures, and records by the name of their file, data.json first. */
async function makeData(
  { teach, heldOut, replay, seed }: DeskOptions,
  count: number,
): Promise<{ pictures: DeskPicture[]; files: Record<string, DeskRecord[]> }> {
  if (teach === undefined) {
    // The glyphs are large, so only now.
    const { deskDataset } = await import('../desk/data.ts');
    const { records, pictures } = deskDataset({ count, seed });
    return { pictures, files: { 'data.json': records } };
  }
  const { LESSONS, teachDataset } = await import('../desk/teach.ts');
  const lesson = (Object.keys(LESSONS) as Lesson[]).find((name) => name === teach);
  if (!lesson) {
    throw new NvlmError('usage', `There is no lesson "${teach}".`, `Give --teach one of ${Object.keys(LESSONS).join(', ')}.`);
  }
  const made = teachDataset(lesson, { count, heldOut, replay, seed });
  const files = { 'data.json': made.records, 'held-out.json': made.heldOut, 'replay.json': made.replay };
  return { pictures: made.pictures, files };
}
