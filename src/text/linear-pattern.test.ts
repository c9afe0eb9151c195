import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from './tokenizer.ts';

type Part = Record<string, unknown>;
const split = (Regex: string, behavior = 'Isolated', invert = false): Part => ({ type: 'Split', pattern: { Regex }, behavior, invert });
const replace = (Regex: string, content: string): Part => ({ type: 'Replace', pattern: { Regex }, content });

/** A vocabulary of single characters: each pre-token shows in the ids between which a piece of two cannot be made. */
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz AB12\n.,é汉字\u{1f600}'];
function tokenizerOf(parts: { normalizer?: Part; pre_tokenizer?: Part; decoder?: Part }) {
  const vocab = Object.fromEntries([...LETTERS, 'aa', ' a'].map((piece, id) => [piece, id]));
  const model = {
    type: 'BPE',
    vocab,
    merges: [
      ['a', 'a'],
      [' ', 'a'],
    ],
    byte_fallback: false,
    unk_token: null,
  };
  return createTokenizer({ version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, decoder: null, model, ...parts }, {});
}
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

describe('patterns of a tokenizer', () => {
  it.each([
    ['(a+)+$', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'],
    ['(a|a)*c', 'a'.repeat(60)],
    ['(?:(?:a*)*)*x', 'a'.repeat(60)],
    ['(.*)*y', 'a'.repeat(60)],
    ['a.*z|a', 'a'.repeat(1500)],
    ['^(\\s|a)*$', `${'a '.repeat(50)}!`],
  ])('%s does not hang', (pattern, text) => {
    const start = performance.now();
    for (const parts of [{ pre_tokenizer: split(pattern) }, { normalizer: replace(pattern, '') }, { decoder: replace(pattern, '') }]) {
      const tokenizer = tokenizerOf(parts);
      try {
        tokenizer.decode(tokenizer.encode(text));
      } catch (error) {
        expect(error).toMatchObject({ code: 'unsupported-model', message: expect.stringContaining('far too long') });
      }
    }
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it.each(['(a)\\1', 'a(?=b)', '(?<!a)b'])('%s is refused, by name', (pattern) => {
    const refusal = expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining(pattern) });
    expect(() => tokenizerOf({ pre_tokenizer: split(pattern) })).toThrow(refusal);
    expect(() => tokenizerOf({ pre_tokenizer: { type: 'Sequence', pretokenizers: [split(pattern)] } })).toThrow(refusal);
    expect(() => tokenizerOf({ normalizer: replace(pattern, '') })).toThrow(refusal);
    expect(() => tokenizerOf({ decoder: replace(pattern, '') })).toThrow(refusal);
  });

  it('that is longer than any is refused before it is read', () => {
    expect(() => tokenizerOf({ pre_tokenizer: split('[a'.repeat(100_000)) })).toThrow(
      expect.objectContaining({ code: 'unsupported-model' }),
    );
  });

  // A group around it makes it another pattern, and nothing else: what RE2 finds is what the engine's own finds.
  it.each(['Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])(
    'that nobody published split as published ones do (%s)',
    (behavior) => {
      const own = tokenizerOf({ pre_tokenizer: split(GPT2, behavior) });
      const other = tokenizerOf({ pre_tokenizer: split(`(?:'s)${GPT2.slice(2)}`, behavior) });
      const text = fc.array(fc.constantFrom(...LETTERS, '  ', "'s", ' \n'), { maxLength: 20 }).map((units) => units.join(''));
      fc.assert(
        fc.property(text, (given) => {
          expect(other.encode(given)).toEqual(own.encode(given));
        }),
        { numRuns: 100 },
      );
    },
  );

  it('replace with plain text', () => {
    expect(tokenizerOf({ normalizer: replace('[A-Z]', 'b') }).encode('AaB')).toEqual(tokenizerOf({}).encode('bab'));
    expect(tokenizerOf({ normalizer: replace('\\u{1f600}|\\p{Script=Han}+', 'a') }).encode('\u{1f600}汉字b')).toEqual(
      tokenizerOf({}).encode('aab'),
    );
  });
});
