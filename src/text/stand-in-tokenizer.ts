import { BYTE_ALPHABET, isPrintable } from './byte-alphabet.ts';
import vocabulary from './qwen2-tags.tokenizer.json' with { type: 'json' };

/**
 * A `tokenizer.json` for checkpoints that have none of their own: Qwen2's ids for every byte and for the pieces of tile
 * tags, and the given control tokens. Any text encodes, in many more tokens than with Qwen2's whole vocabulary; tags
 * encode exactly as there, unless the model's own vocabulary is too small for one of their pieces.
 * @param vocabularySize ids from here on are left out
 */
export function standInTokenizerJson(controlTokens: Record<string, number>, vocabularySize = Infinity): object {
  const bytes = lettersById().map((letter, id) => [letter, id] as const);
  const template = vocabulary.added_tokens[0]!;
  const pieces = Object.entries({ ...Object.fromEntries(bytes), ...vocabulary.model.vocab }).filter(([, id]) => id < vocabularySize);
  const vocab: Record<string, number> = Object.fromEntries(pieces);
  const merges = vocabulary.model.merges.filter((pair) => [...pair, pair.join('')].every((piece) => piece in vocab));
  return {
    ...vocabulary,
    added_tokens: Object.entries(controlTokens).map(([content, id]) => ({ ...template, id, content })),
    model: { ...vocabulary.model, vocab, merges },
  };
}

/** The bytes' spellings in the order of their ids: printable ones first. */
function lettersById(): string[] {
  const printable = BYTE_ALPHABET.filter((_, byte) => isPrintable(byte));
  return [...printable, ...BYTE_ALPHABET.filter((_, byte) => !isPrintable(byte))];
}
