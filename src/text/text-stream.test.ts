import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTextStream } from './text-stream.ts';
import { createTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(`../../tests/fixtures/text/${path}`, import.meta.url), 'utf8'));
const nano = createTokenizer(read('nano-d/tokenizer.json'), read('nano-d/tokenizer_config.json'));

/** SentencePiece in small: `▁` blanks, byte fallback, the first blank dropped. */
const sentencePiece = createTokenizer(
  {
    normalizer: null,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    post_processor: null,
    added_tokens: [{ id: 0, content: '</s>', special: true }],
    model: {
      type: 'BPE',
      byte_fallback: true,
      merges: [],
      vocab: {
        '</s>': 0,
        '▁': 1,
        '▁world': 2,
        hello: 3,
        日: 4,
        '<0xE6>': 5,
        '<0x97>': 6,
        '<0xA5>': 7,
        '<0x41>': 8,
        '<0xF0>': 9,
      },
    },
  },
  {},
);

function stream(tokenizer: Tokenizer, ids: number[]): string[] {
  const out = createTextStream(tokenizer);
  return [...ids.map((id) => out.push(id)), out.flush()];
}

describe('createTextStream', () => {
  it.each([
    ['byte-level', nano],
    ['SentencePiece', sentencePiece],
  ])('joined equals decode on any ids: %s', (_, tokenizer) => {
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.vocabSize + 2), { maxLength: 60 }), (ids) => {
        expect(stream(tokenizer, ids).join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
      }),
      { numRuns: 500 },
    );
  });

  it('never emits half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const whole = nano.decode(nano.encode(text));
        const pieces = stream(nano, nano.encode(text));
        expect(pieces.join('')).toBe(whole);
        if (!whole.includes('\ufffd')) expect(pieces.join('|')).not.toContain('\ufffd');
        for (const piece of pieces) expect(() => encodeURIComponent(piece)).not.toThrow(); // no lone surrogate
      }),
    );
  });

  it('waits for the rest of a character and then gives it at once', () => {
    expect(stream(nano, nano.encode('日a'))).toEqual(['', '', '日', 'a', '']);
  });

  it('gives U+FFFD when the character is never finished', () => {
    const [first = 0] = nano.encode('日');
    expect(stream(nano, [first, ...nano.encode('a')])).toEqual(['', '\ufffda', '']);
    expect(stream(nano, [first])).toEqual(['', '\ufffd']);
  });

  it('leaves special tokens out, also inside a character', () => {
    const [a = 0, b = 0, c = 0] = nano.encode('日');
    const end = nano.idOf('<|im_end|>') ?? -1;
    expect(stream(nano, [a, end, b, c, end])).toEqual(['', '', '', '日', '', '']);
  });

  it('can be used again after a flush', () => {
    const out = createTextStream(sentencePiece);
    expect(out.push(2) + out.push(2) + out.flush()).toBe('world world');
    expect(out.push(2)).toBe('world');
  });
});
