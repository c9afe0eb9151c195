import { NvlmError } from '../errors.ts';
import vocabulary from './qwen2-tags.tokenizer.json' with { type: 'json' };
import { createTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';

/**
 * Wrappers and tile tags of all formats, line ends between them: exactly what the vocabulary part below was cut for.
 */
const ALPHABET = new RegExp(
  [
    '</?Image>',
    '<tile_(?:[1-9]|1[0-2]|global|global_thumbnail|x[0-9]+_y[0-9]+)>',
    '<box> \\([0-9]+, [0-9]+\\), \\([0-9]+, [0-9]+\\) </box>',
    '\\n(?!\\n)',
    '<\\|vision_pad\\|>',
  ].join('|'),
  'y',
);

/**
 * The part of Qwen2's tokenizer (that of NVLM-1.0's 72B models) that writes wrappers and tile tags, with Qwen2's own
 * ids, so that tag tokens can be counted before any model is loaded. `qwen2-tags.tokenizer.json` holds the byte pairs
 * and merges that occur inside the pre-tokens of such strings; merges that it lacks cannot apply to them, so
 * encodings are exact, joined or apart.
 *
 * Derived from Qwen2's tokenizer, © Alibaba Cloud, Apache License 2.0.
 *
 * `encode` throws NvlmError `unsupported-model` on any other text: a guess would look like a count.
 */
export function createQwen2TagTokenizer(): Tokenizer {
  const tokenizer = createTokenizer(vocabulary, {});
  return {
    ...tokenizer,
    encode: (text, literal) => {
      for (let at = 0; at < text.length; at = ALPHABET.lastIndex) {
        ALPHABET.lastIndex = at;
        if (!ALPHABET.test(text)) throw outsideAlphabet(text.slice(at, at + 20));
      }
      return tokenizer.encode(text, literal);
    },
  };
}

function outsideAlphabet(text: string): NvlmError {
  return new NvlmError(
    'unsupported-model',
    `Without a model's own tokenizer only NVLM's tile tags can be counted, and ${JSON.stringify(text)} is none of them.`,
    'Choose a model that brings its tokenizer, or other tile tags.',
  );
}
