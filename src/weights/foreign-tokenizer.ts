import { NvlmError } from '../errors.ts';
import { parseHubId, type HubModel } from './hub-address.ts';
import type { Manifest } from './manifest.ts';
import type { ModelFiles } from './source.ts';
import { isJsonObject, parseStrictJson, type JsonObject } from './strict-json.ts';

const TOKENIZER = 'tokenizer.json';
/** What comes from another repository. */
const TOKENIZER_FILES = [TOKENIZER, 'tokenizer_config.json'];
const MAX_CONFIG_BYTES = 4 * 2 ** 20;

/** The repository whose tokenizer a model reads with, where its config.json names one (nanoVLM: `lm_tokenizer`); else null. */
export function tokenizerRepository(config: JsonObject): HubModel | null {
  const { lm_tokenizer: name } = config;
  return typeof name === 'string' ? parseHubId(name) : null;
}

/** A repository: its files, and the list of them. */
interface Repository {
  files: ModelFiles;
  list(signal?: AbortSignal): Promise<Manifest>;
}

/**
 * A repository with the tokenizer among its files that its config.json finds in another one. They are listed, checked and kept as if they
 * were its own.
 */
export function withForeignTokenizer(own: Repository, open: (model: HubModel) => Repository): Repository {
  const places = new Map<string, Promise<ModelFiles>>();
  let other: Promise<Repository | null> | null = null;

  /** Asked once, unless asking failed. */
  function foreign(signal?: AbortSignal): Promise<Repository | null> {
    other ??= readConfig(own.files, signal).then((config) => {
      const model = config && tokenizerRepository(config);
      return model ? open(model) : null;
    });
    other.catch(() => (other = null));
    return other;
  }

  /** Where a file lies: the model's own comes first. */
  function placeOf(path: string, signal?: AbortSignal): Promise<ModelFiles> {
    if (!TOKENIZER_FILES.includes(path)) return Promise.resolve(own.files);
    let place = places.get(path);
    if (!place) {
      place = own.files.size(path, signal).then(async (bytes) => (bytes === null ? (await foreign(signal))?.files : null) ?? own.files);
      places.set(path, place);
      place.catch(() => places.delete(path));
    }
    return place;
  }

  const { files } = own;
  return {
    files: {
      ...files,
      size: async (path, signal) => (await placeOf(path, signal)).size(path, signal),
      version: async (path, signal) => (await (await placeOf(path, signal)).version?.(path, signal)) ?? null,
      read: async (path, start, end, signal) => (await placeOf(path, signal)).read(path, start, end, signal),
      readAll: async (path, maxBytes, signal) => (await placeOf(path, signal)).readAll(path, maxBytes, signal),
      finish: async (path, signal) => (await placeOf(path, signal)).finish(path, signal),
      async close(cause) {
        await files.close(cause);
        await (await other?.catch(() => null))?.files.close(cause);
      },
    },
    async list(signal) {
      const manifest = await own.list(signal);
      if (manifest.has(TOKENIZER) || !manifest.has('config.json')) return manifest;
      const repository = await foreign(signal);
      if (!repository) return manifest;
      // Without it the weights can be read all the same; whoever handles text says where the tokenizer should be.
      const theirs = await repository.list(signal).catch((error: unknown): Manifest => {
        if (error instanceof NvlmError && error.code === 'not-found') return new Map();
        throw error;
      });
      const missing = TOKENIZER_FILES.filter((path) => !manifest.has(path)).flatMap((path) => theirs.get(path) ?? []);
      return new Map([...manifest, ...missing.map((entry) => [entry.path, entry] as const)]);
    },
  };
}

async function readConfig(files: ModelFiles, signal?: AbortSignal): Promise<JsonObject | null> {
  const bytes = await files.readAll('config.json', MAX_CONFIG_BYTES, signal);
  if (bytes === null) return null;
  const config = parseStrictJson(new TextDecoder().decode(bytes), 'config.json');
  return isJsonObject(config) ? config : null;
}
