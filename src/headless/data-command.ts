import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { NvlmError, throwIfAborted } from '../errors.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';

interface DeskOptions extends CommonOptions {
  count?: number;
  seed: number;
  out?: string;
  force?: boolean;
}

const MOST_PICTURES = 100_000;

export function addData(program: Command, run: Run): void {
  const data = program.command('data').description('Make data sets.');
  withCommonOptions(
    data
      .command('desk')
      .description(
        'Draw notes, receipts, bar charts and shapes, the world that the nano models read, with questions and answers.',
      )
      .option(
        '--count <n>',
        'pictures (required); five questions each, and three text-only ones for every two',
        wholeNumber(1, MOST_PICTURES),
      )
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
    throw new NvlmError(
      'usage',
      `The folder "${out}" is not empty.`,
      'Name another with --out, or add --force to write into it.',
    );
  }
  // The glyphs are large, so only now.
  const [{ deskDataset }, { encodePng }] = await Promise.all([
    import('../desk/data.ts'),
    import('../tiling/encode-png.ts'),
  ]);
  const { records, pictures } = deskDataset({ count, seed });
  await mkdir(join(out, dirname(pictures[0]?.path ?? '.')), { recursive: true });
  for (const [i, picture] of pictures.entries()) {
    throwIfAborted(signal);
    await writeFile(join(out, picture.path), await encodePng(picture.draw()));
    progress.update('Drawing', i + 1, count, 'pictures');
  }
  // Last, so that a folder with data.json is complete.
  await writeFile(join(out, 'data.json'), `${JSON.stringify(records, null, 1)}\n`);
  return {
    document: { out, seed, pictures: pictures.length, records: records.length },
    text: `${pictures.length} pictures and ${records.length} questions in ${out}`,
  };
}
