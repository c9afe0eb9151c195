import { mkdir, open, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { syntheticModelFiles, SYNTHETIC_MODELS } from '../engine/models/synthesize.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import { jsonOption, required, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatBytes } from './format.ts';

interface SynthOptions extends CommonOptions {
  like?: string;
  layers?: number;
  seed: number;
  out?: string;
  force?: boolean;
}

/** For the file system's own needs. */
const SPARE_BYTES = 16 * 1024 * 1024;

export function addSynth(program: Command, run: Run): void {
  program
    .command('synth')
    .description('Write a checkpoint of random weights with the names and shapes of a published model, to measure with.')
    .addOption(new Option('--like <model>', 'required: whose shapes').choices(SYNTHETIC_MODELS))
    .option('--layers <n>', 'at most n layers, in the decoder and in the vision encoder', wholeNumber(1, 1000))
    .option('--seed <n>', 'equal seeds write equal weights', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--out <folder>', 'required: where the checkpoint goes')
    .option('--force', 'write into a folder that is not empty')
    .addOption(jsonOption())
    .action((options: SynthOptions) => run({ ...options, backend: 'auto' }, (context) => synth(options, context)));
}

async function synth(options: SynthOptions, context: Context) {
  const like = required(options.like, '--like');
  const out = required(options.out, '--out');
  const { files, layers, parameters } = syntheticModelFiles(like, options.seed, options.layers);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  await prepareFolder(out, bytes, options.force ?? false);
  let written = 0;
  for (const { name, pieces } of files) {
    const file = await open(join(out, name), 'w');
    try {
      for (const piece of pieces()) {
        throwIfAborted(context.signal);
        await file.writeFile(piece);
        context.progress.update(`Writing ${name}`, (written += piece.length), bytes, 'B');
      }
    } finally {
      await file.close();
    }
  }
  return {
    document: { out, like, seed: options.seed, layers, parameters, bytes, files: files.length },
    text: `${(parameters / 1e9).toPrecision(4)} G random parameters in the shapes of ${like}, ${formatBytes(bytes)}, in ${out}`,
  };
}

async function prepareFolder(out: string, bytes: number, force: boolean): Promise<void> {
  let present: string[];
  let free: number;
  try {
    await mkdir(out, { recursive: true });
    present = await readdir(out);
    const { bavail, bsize } = await statfs(out);
    free = bavail * bsize;
  } catch (cause) {
    const message = `"${out}" is not a folder that can be written to.`;
    throw new NvlmError('usage', message, 'Name another with --out.', { cause });
  }
  if (present.length > 0 && !force) {
    const fix = 'Name another with --out, or add --force to write into it.';
    throw new NvlmError('usage', `The folder "${out}" is not empty.`, fix);
  }
  if (free < bytes + SPARE_BYTES) {
    throw new NvlmError(
      'storage-full',
      `The checkpoint needs ${formatBytes(bytes)}, and ${formatBytes(free)} are free at "${out}".`,
      'Name a folder on a larger disk with --out, or take fewer --layers.',
    );
  }
}
