import type { JsonObject, JsonValue } from './strict-json.ts';
import { isJsonObject } from './strict-json.ts';

/** As in the `tokenizer.json` that transformers writes for the same class. */
const PRE_TOKENIZER_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Does a folder without tokenizer.json keep its tokenizer as Qwen2's vocab.json and merges.txt? InternVL2 and 2.5 do. */
export function hasQwen2TokenizerFiles(tokenizerConfig: JsonObject | null): boolean {
  const name = tokenizerConfig?.tokenizer_class;
  return name === 'Qwen2Tokenizer' || name === 'Qwen2TokenizerFast';
}

/**
 * The `tokenizer.json` of a Qwen2 tokenizer from its older files; whoever reads it checks its contents.
 *
 * @param merges text of merges.txt: one pair a line
 * @param addedTokens added_tokens.json, id by content, or null; `added_tokens_decoder` of the configuration knows more and wins
 */
export function qwen2TokenizerJson(
  vocab: JsonObject,
  merges: string,
  addedTokens: JsonObject | null,
  tokenizerConfig: JsonObject,
): JsonObject {
  const decoder = tokenizerConfig.added_tokens_decoder;
  const known: JsonValue[] = isJsonObject(decoder)
    ? Object.entries(decoder).map(([id, token]) => ({ ...(isJsonObject(token) ? token : {}), id: Number(id) }))
    : Object.entries(addedTokens ?? {}).map(([content, id]) => ({ id, content, special: true }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    version: '1.0',
    added_tokens: known,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Split', pattern: { Regex: PRE_TOKENIZER_PATTERN }, behavior: 'Isolated', invert: false }, byteLevel],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: merges.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version')),
    },
  };
}
