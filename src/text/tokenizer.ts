import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { NvlmError } from '../errors.ts';
import { createAddedTokenSplitter } from './added-tokens.ts';
import { checkPatterns, makePatternsLinear } from './linear-pattern.ts';
import { readablePiece } from './token-text.ts';
import { badTokenizer, isRecord, parseTokenizerJson } from './tokenizer-json.ts';
import type { Tokenizer } from './types.ts';

/**
 * The tokenizer of a model folder.
 *
 * Normaliser, pre-tokeniser, model and decoder are `@huggingface/tokenizers`; the split at added tokens is done here,
 * because the library recognises them everywhere and a user's text must not contain control tokens
 * (see {@link Tokenizer.encode}).
 *
 * @param tokenizerJson parsed `tokenizer.json`
 * @param tokenizerConfig parsed `tokenizer_config.json`; null when the folder has none
 * @throws NvlmError `bad-model` when the file is not a tokenizer this library can run, or is absurdly large;
 * `unsupported-model` for patterns that cannot be run in a time that is bounded
 */
export function createTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): Tokenizer {
  const json = parseTokenizerJson(tokenizerJson);
  const library = build(json.source, isRecord(tokenizerConfig) ? tokenizerConfig : {});
  const model = library.model;
  if (!model) throw badTokenizer('it has no model');

  const split = createAddedTokenSplitter(json.addedTokens);
  const contentOf = new Map(json.addedTokens.map(({ id, content }) => [id, content]));
  const isControl = (token: string): boolean => {
    const id = model.tokens_to_ids.get(token);
    return id !== undefined && contentOf.has(id);
  };

  /** Pieces of one pre-token. A vocabulary that also lists control strings must not let plain text spell one. */
  const modelPieces = (preToken: string): string[] => {
    const pieces = model._call([preToken]);
    return pieces.some(isControl) ? model._call([...preToken]) : pieces;
  };

  const encodePlain = (text: string, sectionIndex: number): number[] => {
    const normalized = library.normalizer ? library.normalizer.normalize(text) : text;
    if (normalized === '') return [];
    const preTokens = library.pre_tokenizer
      ? library.pre_tokenizer.pre_tokenize(normalized, { section_index: sectionIndex })
      : [normalized];
    return preTokens
      .flatMap(modelPieces)
      .map((piece) => model.tokens_to_ids.get(piece) ?? model.unk_token_id)
      .filter((id) => id !== undefined);
  };

  return {
    vocabSize: json.vocabSize,
    addedTokens: json.addedTokens.map(({ id, content, special }) => ({ id, content, special })),
    encode: (text, literal = []) =>
      typed(() =>
        split(text, literal).flatMap((section, index) => ('token' in section ? [section.token.id] : encodePlain(section.text, index))),
      ),
    decode: (ids, options = {}) => {
      // Checkpoints pad their embedding past the vocabulary; such ids have no text.
      const known = Array.from(ids).filter((id) => library.id_to_token(id) !== undefined);
      if (known.length === 0) return '';
      return typed(() =>
        library.decode(known, {
          skip_special_tokens: options.skipSpecialTokens ?? false,
          // Would turn " ." into ".": not what the model wrote, and not streamable.
          clean_up_tokenization_spaces: false,
        }),
      );
    },
    idOf: (token) => library.token_to_id(token),
    tokenText: (id) => {
      const piece = library.id_to_token(id);
      if (piece === undefined) return `\u27e8${id}\u27e9`;
      return contentOf.get(id) ?? readablePiece(piece, json.byteLevel);
    },
  };
}

/** The library finds some faults of a file only when it uses them. */
function typed<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof NvlmError) throw error;
    throw badTokenizer(error instanceof Error ? error.message : String(error), error);
  }
}

function build(source: Record<string, unknown>, config: Record<string, unknown>): HuggingFaceTokenizer {
  checkPatterns([source.normalizer, source.pre_tokenizer, source.decoder]);
  const library = typed(() => new HuggingFaceTokenizer(source, config));
  makePatternsLinear([library.normalizer, library.pre_tokenizer, library.decoder]);
  return library;
}
