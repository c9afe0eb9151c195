import { buildHeader, type LoadedTensor, type TensorSpec } from '../weights/safetensors.ts';
import type { ModelFolder } from '../weights/model-folder.ts';
import { MAX_READ_BYTES } from '../weights/source.ts';

/** Files that come along as they are. */
const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'special_tokens_map.json',
];
const INDEX = 'model.safetensors.index.json';
const MOST_SMALL_BYTES = 32 * 2 ** 20;

/**
 * Whether the folder stores every one of these tensors under its own name; layouts with other names cannot be
 * rewritten.
 */
export function canExport(folder: ModelFolder, trained: Iterable<string>): boolean {
  return [...trained].every((name) => folder.tensors.has(name));
}

/**
 * The files of a model folder with some tensors replaced, piece by piece: at no time is more than one read of a shard
 * held.
 *
 * @param trained f32, in the shapes of the folder's own
 */
export async function* exportedFiles(
  folder: ModelFolder,
  trained: ReadonlyMap<string, LoadedTensor>,
): AsyncGenerator<{ path: string; parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array> }> {
  for (const path of SMALL_FILES) {
    const bytes = await folder.files.readAll(path, MOST_SMALL_BYTES);
    if (bytes) yield { path, parts: [bytes] };
  }
  let totalSize = 0;
  for (const { file } of folder.shards) {
    const specs = specsOf(folder, file, trained);
    const { header, order, totalBytes } = buildHeader(specs, { format: 'pt' });
    totalSize += totalBytes - header.length;
    yield { path: file, parts: shardParts(folder, header, order, trained) };
  }
  if (folder.shards.length === 1 && folder.shards[0]!.file === 'model.safetensors') return;
  const weightMap = Object.fromEntries([...folder.tensors].map(([name, { file }]) => [name, file]));
  const index = JSON.stringify({ metadata: { total_size: totalSize }, weight_map: weightMap }, null, 2);
  yield { path: INDEX, parts: [new TextEncoder().encode(`${index}\n`)] };
}

function specsOf(folder: ModelFolder, file: string, trained: ReadonlyMap<string, LoadedTensor>): TensorSpec[] {
  return [...folder.tensors.values()]
    .filter((entry) => entry.file === file)
    .map(({ name, dtype, shape }) => ({ name, dtype: trained.has(name) ? 'F32' : dtype, shape }));
}

async function* shardParts(
  folder: ModelFolder,
  header: Uint8Array,
  order: readonly TensorSpec[],
  trained: ReadonlyMap<string, LoadedTensor>,
): AsyncGenerator<Uint8Array> {
  yield header;
  for (const { name } of order) {
    const own = trained.get(name);
    if (own) {
      yield own.bytes;
      continue;
    }
    const { file, start, end } = folder.tensors.get(name)!;
    for (let at = start; at < end; at += MAX_READ_BYTES) {
      yield await folder.files.read(file, at, Math.min(end, at + MAX_READ_BYTES));
    }
  }
}
