import { isRecord } from './tokenizer-json.ts';

/**
 * A `tokenizer.json` with special tokens behind its own, as transformers adds them (`extra_special_tokens`): ids go on where vocabulary
 * and added tokens end, and one that is there already keeps its id.
 *
 * @param tokenizerJson parsed, not checked yet; left as it is where it is no tokenizer
 */
export function withExtraTokens(tokenizerJson: unknown, tokens: readonly string[]): unknown {
  if (tokens.length === 0 || !isRecord(tokenizerJson) || !isRecord(tokenizerJson.model) || !isRecord(tokenizerJson.model.vocab)) {
    return tokenizerJson;
  }
  const { vocab } = tokenizerJson.model;
  const added: unknown[] = Array.isArray(tokenizerJson.added_tokens) ? tokenizerJson.added_tokens : [];
  const entries = added.filter(isRecord);
  const known = new Set(entries.map(({ content }) => content));
  const largest = entries.reduce((most, { id }) => Math.max(most, Number(id)), -1);
  let next = Math.max(Object.keys(vocab).length, largest + 1);
  const more = [...new Set(tokens)]
    .filter((content) => !known.has(content))
    .map((content) => {
      const id: unknown = Object.hasOwn(vocab, content) ? vocab[content] : next++;
      return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    });
  return { ...tokenizerJson, added_tokens: [...added, ...more] };
}
