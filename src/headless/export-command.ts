import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { NvlmError } from '../errors.ts';
import { nodeFolder } from '../files/node-folder.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { readAdapters, withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { jsonOption, required, type CommonOptions, type Context, type Run } from './command.ts';
import { MODEL_HELP, modelSource } from './model-source.ts';
import { openFiles } from './node-platform.ts';

interface ExportOptions extends CommonOptions, AdapterOptions {
  model?: string;
  out?: string;
  dtype: 'source' | 'f32';
  force?: boolean;
}

/** Computes on the host alone, so it takes no backend. */
export function addExport(program: Command, run: Run): void {
  const command = program
    .command('export')
    .description(
      'Write a model, with adapters merged into it, in the Hugging Face layout that it came from. ' +
        'Where nothing changes, the files are the same to the byte.',
    )
    .option('--model <model>', `required: ${MODEL_HELP}`)
    .option('--out <folder>', 'required: where the files go')
    .addOption(
      new Option('--dtype <type>', 'of changed tensors: what they were, rounded to nearest even, or f32')
        .choices(['source', 'f32'])
        .default('source'),
    )
    .option('--force', 'write over a model that is in the folder already')
    .addOption(jsonOption());
  withAdapterOption(command).action((options: ExportOptions) => run(options, (context) => exportModel(options, context)));
}

async function exportModel(options: ExportOptions, { signal, progress, caution }: Context) {
  const model = required(options.model, '--model');
  const out = required(options.out, '--out');
  const adapters = await readAdapters(options);
  const source = await modelSource(model);
  if (source.kind === 'folder') await refuseSame(source.path, out);
  await refuseOverwriting(out, options.force ?? false);
  const files = await openFiles(source, { signal });
  try {
    const folder = await openModelFolder(files, signal);
    caution(folder.warnings);
    const { exportedFiles, mergeAdapterFiles } = await import('../engine/export/export-model.ts');
    const changes = mergeAdapterFiles(folder, adapters);
    const exported = await exportedFiles(folder, changes, { dtype: options.dtype, signal });
    const bytes = exported.reduce((sum, file) => sum + file.bytes, 0);
    const output = nodeFolder(out);
    let done = 0;
    async function* counted(parts: AsyncIterable<Uint8Array>) {
      for await (const part of parts) {
        yield part;
        progress.update(`Writing ${out}`, (done += part.length), bytes, 'B');
      }
    }
    for (const { path, parts } of exported) await output.writeParts(path, counted(parts));
    const merged = adapters.length === 0 ? 'no tensor changed' : `${changes.size} tensors changed`;
    return {
      document: { out, files: exported.map(({ path, bytes: size }) => ({ path, bytes: size })), bytes, changed: changes.size },
      text: `${exported.length} files, ${(bytes / 1e6).toFixed(1)} MB, in ${out}; ${merged}`,
    };
  } finally {
    await files.close();
  }
}

/** Writing a folder over itself would read what is half written. */
async function refuseSame(folder: string, out: string): Promise<void> {
  const [from, to] = await Promise.all([folder, out].map((path) => realpath(path).catch(() => null)));
  if (from === null || from !== to) return;
  throw new NvlmError('usage', `"${out}" is the model's own folder.`, 'Give another --out.');
}

async function refuseOverwriting(out: string, force: boolean): Promise<void> {
  if (force || !(await stat(join(out, 'config.json')).catch(() => null))) return;
  throw new NvlmError('usage', `"${out}" holds a model already.`, 'Add --force, or give another --out.');
}
