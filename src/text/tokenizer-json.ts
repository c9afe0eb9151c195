import { NvlmError } from '../errors.ts';

/** More than any published tokenizer has; a file with more is damaged or hostile. */
const MAX_VOCABULARY = 1_000_000;
const MAX_MERGES = 2_000_000;
const MAX_ADDED_TOKENS = 100_000;
const MAX_TOKEN_LENGTH = 10_000;

export interface AddedTokenJson {
  id: number;
  content: string;
  special: boolean;
  /** Swallow the white space before / after the token. */
  lstrip: boolean;
  rstrip: boolean;
}

/** What this room reads of a `tokenizer.json`; the rest goes to the tokenizer library as it is. */
export interface TokenizerJson {
  source: Record<string, unknown>;
  addedTokens: AddedTokenJson[];
  /** Tokens are spelt in GPT-2's byte alphabet. */
  byteLevel: boolean;
  /** One more than the largest id. */
  vocabSize: number;
}

/**
 * Checks the shape and the sizes of a model folder's `tokenizer.json` before anything is built from it.
 * @throws NvlmError `bad-model`
 */
export function parseTokenizerJson(value: unknown): TokenizerJson {
  if (!isRecord(value)) throw badTokenizer('it is not a JSON object');
  const model = value.model;
  if (!isRecord(model)) throw badTokenizer('it has no "model"');
  const addedTokens = parseAddedTokens(value.added_tokens ?? []);
  const merges = model.merges ?? [];
  if (!Array.isArray(merges)) throw badTokenizer('"merges" is not a list');
  if (merges.length > MAX_MERGES) throw badTokenizer(`it has ${merges.length} merges, more than ${MAX_MERGES}`);
  let largest = largestVocabularyId(model.vocab);
  for (const { id } of addedTokens) largest = Math.max(largest, id);
  const normalizer = value.normalizer ?? null;
  const pre_tokenizer = value.pre_tokenizer ?? null;
  const decoder = value.decoder ?? null;
  return {
    // Post-processors only add special tokens, which the chat template does here.
    source: {
      ...value,
      normalizer,
      pre_tokenizer,
      decoder,
      post_processor: null,
      added_tokens: value.added_tokens ?? [],
    },
    addedTokens,
    byteLevel: isByteLevel(decoder),
    vocabSize: largest + 1,
  };
}

export function badTokenizer(what: string, cause?: unknown): NvlmError {
  return new NvlmError(
    'bad-model',
    `tokenizer.json cannot be used: ${what}.`,
    'Download the model folder again, or choose another model.',
    { cause },
  );
}

export function unsupportedPattern(pattern: string, why: string): NvlmError {
  return new NvlmError(
    'unsupported-model',
    `tokenizer.json splits text by a pattern that cannot be run safely, “${pattern.slice(0, 200)}”: ${why.slice(0, 200)}.`,
    'Use a model whose tokenizer has one of the usual patterns.',
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_VOCABULARY;
}

/** BPE and WordPiece hold `{token: id}`, Unigram `[[token, score], …]` with the place as the id. */
function largestVocabularyId(vocab: unknown): number {
  if (Array.isArray(vocab)) {
    if (vocab.length > MAX_VOCABULARY) throw tooManyTokens(vocab.length);
    return vocab.length - 1;
  }
  if (!isRecord(vocab)) throw badTokenizer('"vocab" is missing');
  const ids = Object.values(vocab);
  if (ids.length > MAX_VOCABULARY) throw tooManyTokens(ids.length);
  let largest = -1;
  for (const id of ids) {
    if (!isId(id)) throw badTokenizer(`"vocab" has the id ${String(id)}`);
    largest = Math.max(largest, id);
  }
  return largest;
}

function tooManyTokens(count: number): NvlmError {
  return badTokenizer(`it has ${count} tokens, more than ${MAX_VOCABULARY}`);
}

function parseAddedTokens(list: unknown): AddedTokenJson[] {
  if (!Array.isArray(list)) throw badTokenizer('"added_tokens" is not a list');
  if (list.length > MAX_ADDED_TOKENS) throw badTokenizer(`it has ${list.length} added tokens`);
  return list.map((entry: unknown) => {
    if (!isRecord(entry) || !isId(entry.id) || typeof entry.content !== 'string') {
      throw badTokenizer('an added token lacks its id or content');
    }
    if (entry.content.length === 0 || entry.content.length > MAX_TOKEN_LENGTH) {
      throw badTokenizer(`added token ${entry.id} is ${entry.content.length} characters long`);
    }
    return {
      id: entry.id,
      content: entry.content,
      special: entry.special === true,
      lstrip: entry.lstrip === true,
      rstrip: entry.rstrip === true,
    };
  });
}

function isByteLevel(decoder: unknown): boolean {
  if (!isRecord(decoder)) return false;
  if (decoder.type === 'ByteLevel') return true;
  return decoder.type === 'Sequence' && Array.isArray(decoder.decoders) && decoder.decoders.some(isByteLevel);
}
