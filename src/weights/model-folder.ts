import { NvlmError } from '../errors.ts';
import { checkFilePath } from './file-path.ts';
import { tokenizerRepository } from './foreign-tokenizer.ts';
import type { TensorEntry } from './safetensors.ts';
import { hasQwen2TokenizerFiles, qwen2TokenizerJson } from './qwen2-tokenizer-files.ts';
import { readHeader } from './safetensors.ts';
import type { ModelFiles } from './source.ts';
import { missingFile } from './source.ts';
import type { JsonObject } from './strict-json.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';

/** All weights in one file, and which of several holds which. */
const WHOLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

const MB = 1024 * 1024;
const MAX_CONFIG_BYTES = 4 * MB;
const MAX_TOKENIZER_BYTES = 32 * MB;
const MAX_INDEX_BYTES = 32 * MB;
const MAX_SHARDS = 1000;
/** Of all shards together; NVLM-D-72B's take about 200 kB. */
const MAX_HEADERS_BYTES = 64 * MB;

/** The small files of a model: what it is, and how it reads and writes text. */
export interface ModelDescription {
  files: ModelFiles;
  /** config.json */
  config: JsonObject;
  /** generation_config.json */
  generationConfig: JsonObject | null;
  /**
   * tokenizer.json, or made of a Qwen2 tokenizer's older files; null where there is none: `forward` needs no tokenizer, see
   * {@link requireTokenizer}.
   */
  tokenizer: JsonObject | null;
  /**
   * tokenizer_config.json, with the chat template of chat_template.jinja, or else chat_template.json, where there is one: it wins, as in
   * transformers.
   */
  tokenizerConfig: JsonObject | null;
  /** Of a model with a vision encoder: how pictures are prepared, from processor_config.json or else preprocessor_config.json. */
  imageProcessor: JsonObject | null;
}

export interface ModelFolder extends ModelDescription {
  /** Every tensor of every shard. */
  tensors: ReadonlyMap<string, TensorEntry>;
  shards: { file: string; bytes: number }[];
  /** The shards are those that an index names. */
  indexed: boolean;
  /** Bytes of all tensors. */
  tensorBytes: number;
  /** What its user should know of how the folder was read; a sentence or two each. */
  warnings: string[];
}

async function readText(files: ModelFiles, path: string, maxBytes: number, signal?: AbortSignal): Promise<string | null> {
  const bytes = await files.readAll(path, maxBytes, signal);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new NvlmError(
      'bad-model',
      `${path} of ${files.id} is not UTF-8 text.`,
      'Get the file again from its source; this copy is damaged.',
    );
  }
}

async function readJson(files: ModelFiles, path: string, maxBytes: number, signal?: AbortSignal): Promise<JsonObject | null> {
  const text = await readText(files, path, maxBytes, signal);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new NvlmError(
      'bad-model',
      `${path} of ${files.id} is not JSON: ${(cause as Error).message}.`,
      'Get the file again from its source; this copy is damaged.',
      { cause },
    );
  }
  if (!isJsonObject(value as JsonObject)) {
    throw new NvlmError(
      'bad-model',
      `${path} of ${files.id} is not a JSON object.`,
      'Get the file again from its source; this is another file under its name.',
    );
  }
  return value as JsonObject;
}

/** Which file holds which tensor, or null when the model is not sharded. */
async function readIndex(files: ModelFiles, signal?: AbortSignal): Promise<Map<string, string> | null> {
  const text = await readText(files, INDEX, MAX_INDEX_BYTES, signal);
  if (text === null) return null;
  const index = parseStrictJson(text, INDEX);
  const map = isJsonObject(index) ? index.weight_map : undefined;
  if (!isJsonObject(map)) {
    throw new NvlmError(
      'bad-model',
      `${INDEX} of ${files.id} has no weight_map.`,
      'Get the file again from its source; this copy is damaged.',
    );
  }
  const result = new Map(Object.entries(map).map(([tensor, file]) => [tensor, checkFilePath(file)] as const));
  if (new Set(result.values()).size > MAX_SHARDS) {
    throw new NvlmError(
      'bad-model',
      `${INDEX} of ${files.id} names more than ${MAX_SHARDS} files.`,
      'Use a checkpoint with larger shards.',
    );
  }
  return result;
}

/**
 * The index that counts. A whole `model.safetensors` goes before shards that an index names, as in transformers; folders
 * have both when one was left behind by a conversion or a merge.
 */
async function chooseIndex(files: ModelFiles, signal?: AbortSignal): Promise<{ index: Map<string, string> | null; warnings: string[] }> {
  const index = await readIndex(files, signal);
  const shards = [...new Set(index?.values())];
  if (!index || shards.includes(WHOLE) || (await files.size(WHOLE, signal)) === null) return { index, warnings: [] };
  const others = `the ${shards.length === 1 ? 'file' : `${shards.length} files`} that ${INDEX} names`;
  const warning = `${files.id} holds ${WHOLE} and an index of other files: ${WHOLE} is read, as transformers does, and not ${others}.`;
  return { index: null, warnings: [warning] };
}

/** Headers of all shards; every tensor of the index must stand in the file that the index names, and in no other. */
async function readTensors(
  files: ModelFiles,
  signal?: AbortSignal,
): Promise<Pick<ModelFolder, 'tensors' | 'shards' | 'indexed' | 'tensorBytes' | 'warnings'>> {
  const { index, warnings } = await chooseIndex(files, signal);
  const paths = index ? [...new Set(index.values())] : [WHOLE];
  const tensors = new Map<string, TensorEntry>();
  const shards: ModelFolder['shards'] = [];
  let tensorBytes = 0;
  let headerBytes = 0;
  for (const file of paths) {
    const bytes = await files.size(file, signal);
    if (bytes === null) throw missingFile(file, files.id);
    const header = await readHeader(files, file, signal);
    headerBytes += header.dataStart;
    if (headerBytes > MAX_HEADERS_BYTES) {
      throw new NvlmError(
        'bad-model',
        `The headers of ${files.id} take more than ${MAX_HEADERS_BYTES / MB} MB, which no model needs.`,
        'Get the model from a source you trust; its files are damaged or something else under their names.',
      );
    }
    shards.push({ file, bytes });
    for (const entry of header.tensors) {
      if (tensors.has(entry.name)) {
        throw new NvlmError(
          'bad-model',
          `Tensor "${entry.name}" stands in two files of ${files.id}.`,
          'Get the model again from its source; its shards do not belong together.',
        );
      }
      tensors.set(entry.name, entry);
      tensorBytes += entry.end - entry.start;
    }
  }
  for (const [name, file] of index ?? []) {
    if (tensors.get(name)?.file !== file) {
      throw new NvlmError(
        'bad-model',
        `${file} of ${files.id} lacks the tensor "${name}" that the index promises.`,
        'Get the model again from its source; index and shards do not belong together.',
      );
    }
  }
  if (tensors.size === 0) {
    throw new NvlmError('bad-model', `The model ${files.id} holds no tensors.`, 'Check that its safetensors files are complete.');
  }
  return { tensors, shards, indexed: index !== null, tensorBytes, warnings };
}

/**
 * Reads configuration and tokenizer, and nothing of the shards.
 * @throws NvlmError `not-found` (config.json missing), `bad-model` (a broken file, by name), `network`, `cancelled`
 */
export async function readModelDescription(files: ModelFiles, signal?: AbortSignal): Promise<ModelDescription> {
  const config = await readJson(files, 'config.json', MAX_CONFIG_BYTES, signal);
  if (config === null) throw missingFile('config.json', files.id);
  // Only models that see have these files; a text model's host is not asked for them.
  const hasVision = isJsonObject(config.vision_config);
  const [generationConfig, ownTokenizer, tokenizerConfig] = await Promise.all([
    readJson(files, 'generation_config.json', MAX_CONFIG_BYTES, signal),
    readJson(files, 'tokenizer.json', MAX_TOKENIZER_BYTES, signal),
    readJson(files, 'tokenizer_config.json', MAX_CONFIG_BYTES, signal),
  ]);
  let tokenizer = ownTokenizer;
  if (tokenizerConfig) {
    const template = await readText(files, 'chat_template.jinja', MAX_CONFIG_BYTES, signal);
    const older = template === null && hasVision ? await readJson(files, 'chat_template.json', MAX_CONFIG_BYTES, signal) : null;
    if (template !== null) tokenizerConfig.chat_template = template;
    else if (older?.chat_template) tokenizerConfig.chat_template = older.chat_template;
  }
  if (!tokenizer && tokenizerConfig && hasQwen2TokenizerFiles(tokenizerConfig)) {
    const vocab = await readJson(files, 'vocab.json', MAX_TOKENIZER_BYTES, signal);
    const merges = await readText(files, 'merges.txt', MAX_TOKENIZER_BYTES, signal);
    const added = await readJson(files, 'added_tokens.json', MAX_CONFIG_BYTES, signal);
    if (vocab && merges !== null) tokenizer = qwen2TokenizerJson(vocab, merges, added, tokenizerConfig);
  }
  const imageProcessor = hasVision ? await readImageProcessor(files, signal) : null;
  return { files, config, generationConfig, tokenizer, tokenizerConfig, imageProcessor };
}

/** transformers 5 keeps it as a part of the processor's file; before, it had one of its own. */
async function readImageProcessor(files: ModelFiles, signal?: AbortSignal): Promise<JsonObject | null> {
  const processor = await readJson(files, 'processor_config.json', MAX_CONFIG_BYTES, signal);
  if (processor && isJsonObject(processor.image_processor)) return processor.image_processor;
  return readJson(files, 'preprocessor_config.json', MAX_CONFIG_BYTES, signal);
}

/**
 * Reads everything of a model but its weights: its description, and the checked safetensors headers of all shards.
 * @throws NvlmError as {@link readModelDescription}; `not-found` without weights, `bad-model` for headers that do not hold
 */
export async function openModelFolder(files: ModelFiles, signal?: AbortSignal): Promise<ModelFolder> {
  try {
    const description = await readModelDescription(files, signal);
    const tensors = await readTensors(files, signal);
    const elsewhere = tokenizerElsewhere(description);
    const warnings = [...tensors.warnings, ...(elsewhere ? [`${elsewhere.message} ${elsewhere.fix}`] : [])];
    return { ...description, ...tensors, warnings };
  } catch (error) {
    await files.close(error);
    throw error;
  }
}

/** The tokenizer's two files, for whoever handles text. @throws NvlmError `not-found` */
export function requireTokenizer(folder: ModelDescription): { tokenizer: JsonObject; tokenizerConfig: JsonObject } {
  const { tokenizer, tokenizerConfig } = folder;
  const elsewhere = tokenizerElsewhere(folder);
  if (elsewhere) throw elsewhere;
  if (!tokenizer) throw missingFile('tokenizer.json', folder.files.id);
  if (!tokenizerConfig) throw missingFile('tokenizer_config.json', folder.files.id);
  return { tokenizer, tokenizerConfig };
}

/** Why a model cannot read or write whose config.json names another repository's tokenizer and whose folder has not got it; else null. */
export function tokenizerElsewhere({ files: { id }, config, tokenizer, tokenizerConfig }: ModelDescription): NvlmError | null {
  const model = tokenizer && tokenizerConfig ? null : tokenizerRepository(config);
  if (!model) return null;
  const { repository } = model;
  return new NvlmError(
    'not-found',
    `${id} has no tokenizer of its own: its config.json names the one of ${repository}.`,
    `Put tokenizer.json and tokenizer_config.json of ${repository} beside config.json; from Hugging Face they come by themselves.`,
  );
}
