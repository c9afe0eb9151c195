import { NvlmError } from '../errors.ts';
import { TAG_FORMAT_NAMES } from '../tiling/tags.ts';
import type { ModelDescription, ModelFolder } from '../weights/model-folder.ts';
import type { NvlmConfig } from './config.ts';
import { familyOf } from './families/list.ts';
import { JsonReader } from './json-reader.ts';
import { names } from './names.ts';
import { namingOf } from './naming.ts';

/**
 * Reads an untrusted `config.json` of any family in `families/list.ts`.
 *
 * @param processor what the image processor's file says, where there is one
 * @throws NvlmError `bad-model` for a missing or absurd value, `unsupported-model` for an architecture that this engine has not got.
 */
export function parseConfig(json: unknown, processor: unknown = null): NvlmConfig {
  const config = JsonReader.open(json, 'config.json');
  refuseForeignQuantization(config);
  const family = familyOf(config);
  const parsed = family.parse(config, processor === null ? null : JsonReader.open(processor, 'the image processor'));
  // This project's own key: any model may have been tuned with other names for its tiles.
  return { family, ...parsed, tagFormat: config.oneOf('tile_tags', TAG_FORMAT_NAMES, parsed.tagFormat) };
}

/**
 * {@link parseConfig} of a model folder's files. A head that is stored counts, whatever config.json says of tying it to the embedding
 * (transformers 5): merges leave heads behind that differ.
 *
 * @param description with `tensors`, where its weights are open too
 */
export function configOf({
  config,
  imageProcessor,
  tensors,
}: Pick<ModelDescription, 'config'> & Partial<Pick<ModelFolder, 'imageProcessor' | 'tensors'>>): NvlmConfig {
  const parsed = parseConfig(config, imageProcessor ?? null);
  return tensors && storesHead(parsed, tensors) ? { ...parsed, llm: { ...parsed.llm, tieWordEmbeddings: false } } : parsed;
}

/** Under the names that this kind of checkpoint has; some store the one matrix that is both under the head's. */
function storesHead(config: NvlmConfig, tensors: ModelFolder['tensors']): boolean {
  const { sourceNames } = namingOf(config.family.namings, tensors.keys());
  const [head] = sourceNames(`${names.lmHead(config)}.weight`);
  return head !== sourceNames(names.embedTokens(config))[0] && tensors.has(head!);
}

/** Packed weights of other schemes would pass for missing tensors; their names say it better. */
function refuseForeignQuantization(config: JsonReader): void {
  for (const key of ['quantization', 'quantization_config']) {
    if (!config.has(key)) continue;
    const quantization = config.object(key);
    const method = quantization.string('quant_method', '') || quantization.string('mode', 'affine');
    if (method === 'affine') continue;
    throw new NvlmError(
      'unsupported-model',
      `config.json: ${key} says "${method}", and of quantised weights only MLX's affine 4 and 8 bits are supported.`,
      'Use the f32, f16 or bf16 checkpoint (--quantize packs it while loading), or an MLX one of 4 or 8 bits.',
    );
  }
}
