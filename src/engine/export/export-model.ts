import { NvlmError, throwIfAborted } from '../../errors.ts';
import { planWeights, type PlannedParameter } from '../../nvlm/checkpoint-layout.ts';
import { names, partOf } from '../../nvlm/names.ts';
import { configOf } from '../../nvlm/parse-config.ts';
import { mergedUpdates } from '../../nvlm/adapters/merge.ts';
import { parseAdapter, type LinearSizes } from '../../nvlm/adapters/peft.ts';
import { DTYPE_BYTES, toF32, type DType } from '../../weights/dtype.ts';
import { INDEX, type ModelFolder } from '../../weights/model-folder.ts';
import { buildHeader, headerLength, parseHeader, type LoadedTensor, type TensorEntry } from '../../weights/safetensors.ts';
import { MAX_READ_BYTES, readSpan, type ModelFiles } from '../../weights/source.ts';
import type { StrongAdapter } from '../adapters/adapter.ts';
import { rewrittenTensor, type ChangedTensor, type TensorChange } from './rewritten-tensor.ts';

/** What a folder that cannot be listed may hold besides its weights. */
const KNOWN_FILES = [
  'README.md',
  'LICENSE',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'config.json',
  'configuration_intern_vit.py',
  'configuration_internvl_chat.py',
  'conversation.py',
  'generation_config.json',
  'merges.txt',
  'modeling_intern_vit.py',
  'modeling_internvl_chat.py',
  'preprocessor_config.json',
  'processor_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'video_preprocessor_config.json',
  'vocab.json',
];
const WEIGHT_FILE = /\.(safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|npz)$/i;
/** Hidden files, and folders: what lies in those is not the model's. */
const FOREIGN = /^\.|\//;
const MOST_INDEX_BYTES = 32 * 2 ** 20;
/** So that a message to another thread, or a stop, never waits for long. */
const COPY_BYTES = Math.min(8 * 2 ** 20, MAX_READ_BYTES);

export interface ExportOptions {
  /** `source`: changed tensors keep the element type that they had, rounded to nearest even; `f32`: they are f32. */
  dtype?: 'source' | 'f32';
  signal?: AbortSignal;
}

export interface ExportFile {
  path: string;
  bytes: number;
  parts: AsyncIterable<Uint8Array>;
}

/** Sizes of a checkpoint's linears, read off its headers. */
export function linearSizes(folder: ModelFolder): LinearSizes {
  const { parameters } = planWeights(folder, configOf(folder));
  const linears = new Map<string, { inFeatures: number; outFeatures: number }>();
  for (const { spec } of parameters) {
    const [outFeatures, inFeatures] = spec.shape;
    if (spec.role === 'linear' && spec.shape.length === 2) linears.set(spec.name, { inFeatures: inFeatures!, outFeatures: outFeatures! });
  }
  return { linearSize: (module) => linears.get(`${module}.weight`) ?? null };
}

/** What adapters change in a checkpoint's weights. @throws NvlmError `bad-model`, `unsupported-model` */
export function mergeAdapterFiles(folder: ModelFolder, adapters: readonly StrongAdapter[]): Map<string, TensorChange> {
  const linears = linearSizes(folder);
  return mergedUpdates(
    adapters.map(({ files: { config, tensors }, strength }) => ({
      modules: parseAdapter(config, tensors, linears),
      strength,
    })),
  );
}

/** Trained tensors (f32, under the model's own names) in the place of the old ones. */
export function replacements(trained: ReadonlyMap<string, LoadedTensor>): Map<string, TensorChange> {
  return new Map(
    [...trained].map(([name, { dtype, shape, bytes }]) => {
      const columns = shape.slice(1).reduce((product, size) => product * size, 1);
      const all = toF32(dtype, bytes)!;
      const rewrite = (values: Float32Array, firstRow: number) =>
        values.set(all.subarray(firstRow * columns, firstRow * columns + values.length));
      return [name, { rewrite }] as const;
    }),
  );
}

/**
 * The files of a model folder with some parameters changed, in the layout that it came from: same names, same shards,
 * same small files, and byte for byte the same where nothing changed. A block of a tensor is held at a time.
 *
 * @param changes by the model's own parameter names
 * @throws NvlmError `usage` for a change that the layout cannot express; before the first file
 */
export async function exportedFiles(
  folder: ModelFolder,
  changes: ReadonlyMap<string, TensorChange>,
  { dtype = 'source', signal }: ExportOptions = {},
): Promise<ExportFile[]> {
  const { files } = folder;
  const changed = changedTensors(folder, changes);
  const result: ExportFile[] = [];
  let grown = 0;
  for (const { file, bytes } of folder.shards) {
    const own = [...folder.tensors.values()].filter((entry) => entry.file === file);
    if (dtype === 'source' || !own.some(({ name }) => widens(name))) {
      result.push({ path: file, bytes, parts: sameShape(files, file, bytes, own, changed, signal) });
      continue;
    }
    const length = headerLength(await files.read(file, 0, 8, signal), bytes, file);
    const { metadata } = parseHeader(await readSpan(files, file, 8, 8 + length, signal), bytes, file);
    const specs = own.map((entry) => ({ ...entry, dtype: widens(entry.name) ? ('F32' as DType) : entry.dtype }));
    const plan = buildHeader(specs, { ...metadata });
    for (const { name, shape } of own.filter((entry) => widens(entry.name))) {
      const count = shape.reduce((product, size) => product * size, 1);
      grown += count * (4 - DTYPE_BYTES[folder.tensors.get(name)!.dtype]);
    }
    result.push({ path: file, bytes: plan.totalBytes, parts: newShape(folder, plan, changed, signal) });
  }
  const shards = new Set(folder.shards.map(({ file }) => file));
  for (const path of (await files.list?.(signal)) ?? [INDEX, ...KNOWN_FILES]) {
    if (shards.has(path) || WEIGHT_FILE.test(path) || FOREIGN.test(path)) continue;
    // One that was left behind beside a whole file speaks of shards that are not there.
    if (path === INDEX && !folder.indexed) continue;
    const bytes = await files.size(path, signal);
    if (bytes === null) continue;
    if (path === INDEX && grown > 0) {
      const index = await grownIndex(files, grown, signal);
      result.push({ path, bytes: index.length, parts: once(index) });
    } else {
      result.push({ path, bytes, parts: copied(files, path, 0, bytes, signal) });
    }
  }
  return result.sort((a, b) => (a.path < b.path ? -1 : 1));

  /** Words, scales and biases of a quantised matrix stay as they are. */
  function widens(name: string): boolean {
    const tensor = changed.get(name);
    return tensor !== undefined && tensor.affine === null;
  }
}

/** Which tensors of the files a change of the model's parameters touches. @throws NvlmError `usage` */
function changedTensors(folder: ModelFolder, changes: ReadonlyMap<string, TensorChange>): Map<string, ChangedTensor> {
  const changed = new Map<string, ChangedTensor>();
  if (changes.size === 0) return changed;
  const config = configOf(folder);
  const { parameters, dummyHeads } = planWeights(folder, config);
  const byName = new Map(parameters.map((parameter) => [parameter.spec.name, parameter]));
  for (const [name, change] of changes) {
    const parameter = byName.get(name);
    if (!parameter) throw notStored(name);
    if (dummyHeads > 0 && partOf(name) === 'vision_encoder') throw padded(name);
    place(parameter, change);
    const head = `${names.lmHead(config)}.weight`;
    // Tied heads that are stored all the same have to stay what the table is.
    const stored = name === names.embedTokens(config) && config.llm.tieWordEmbeddings && folder.tensors.get(head);
    if (stored) changed.set(head, { change, firstRow: 0, affine: null });
  }
  return changed;

  function place(parameter: PlannedParameter, change: TensorChange): void {
    if (parameter.affine) {
      const parts = { weight: parameter.sources[0]!, scales: parameter.affine.scales, biases: parameter.affine.biases };
      for (const part of ['weight', 'scales', 'biases'] as const)
        changed.set(parts[part].name, { change, firstRow: 0, affine: { parameter, part } });
      return;
    }
    let firstRow = 0;
    for (const source of parameter.sources) {
      changed.set(source.name, { change, firstRow, affine: null });
      firstRow += source.shape[0] ?? 1;
    }
  }
}

/** Every tensor keeps its place, so the header and whatever else lies in the file pass through as they are. */
async function* sameShape(
  files: ModelFiles,
  file: string,
  bytes: number,
  entries: readonly TensorEntry[],
  changed: ReadonlyMap<string, ChangedTensor>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const entry of [...entries].sort((a, b) => a.start - b.start)) {
    const change = changed.get(entry.name);
    if (!change || entry.start === entry.end) continue;
    yield* copied(files, file, at, entry.start, signal);
    yield* rewrittenTensor(files, entry, change, entry.dtype, signal);
    at = entry.end;
  }
  yield* copied(files, file, at, bytes, signal);
}

async function* newShape(
  { files, tensors }: ModelFolder,
  { header, order }: ReturnType<typeof buildHeader<TensorEntry>>,
  changed: ReadonlyMap<string, ChangedTensor>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield header;
  for (const { name, dtype } of order) {
    const entry = tensors.get(name)!;
    const change = changed.get(name);
    if (change) yield* rewrittenTensor(files, entry, change, dtype, signal);
    else yield* copied(files, entry.file, entry.start, entry.end, signal);
  }
}

async function* copied(files: ModelFiles, path: string, start: number, end: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += COPY_BYTES) {
    yield await files.read(path, at, Math.min(end, at + COPY_BYTES), signal);
    throwIfAborted(signal);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function grownIndex(files: ModelFiles, grown: number, signal?: AbortSignal): Promise<Uint8Array> {
  const text = new TextDecoder().decode((await files.readAll(INDEX, MOST_INDEX_BYTES, signal))!);
  const index = JSON.parse(text) as { metadata?: { total_size?: unknown } };
  if (typeof index.metadata?.total_size === 'number') index.metadata.total_size += grown;
  return new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`);
}

function notStored(name: string): NvlmError {
  return new NvlmError(
    'usage',
    `${name} is no tensor of its own in this checkpoint: its head is the embedding table.`,
    'Use an adapter that leaves lm_head out.',
  );
}

function padded(name: string): NvlmError {
  return new NvlmError(
    'usage',
    `${name} is stored with padding heads, which a change would have to leave alone.`,
    'Use an adapter that leaves the vision encoder out.',
  );
}
