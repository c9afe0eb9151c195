import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { createTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';

const FIXTURES = new URL('../../tests/fixtures/text/', import.meta.url);
const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, FIXTURES), 'utf8'));
const NAMES = ['golden', 'nano-d', 'nano-x'] as const;
const load = (name: string): Tokenizer => createTokenizer(read(`${name}/tokenizer.json`), read(`${name}/tokenizer_config.json`));

/** Made with Hugging Face's own `tokenizers` (Rust, 0.23). */
const expected = read('encodings.json') as Record<string, unknown>;
const texts = expected.texts as string[];

describe.each(NAMES)('the %s tokenizer', (name) => {
  const tokenizer = load(name);
  const controlIds = new Set(tokenizer.addedTokens.map(({ id }) => id));

  it('encodes as the reference does', () => {
    const ids = expected[name] as number[][];
    texts.forEach((text, k) => expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids[k]));
  });

  it('decodes any ids as the reference does', () => {
    for (const { ids, all, skip } of expected[`${name} decode`] as { ids: number[]; all: string; skip: string }[]) {
      expect(tokenizer.decode(ids)).toBe(all);
      expect(tokenizer.decode(Int32Array.from(ids), { skipSpecialTokens: true })).toBe(skip);
    }
  });

  it('never finds control tokens in literal text', () => {
    const fragments = tokenizer.addedTokens.flatMap(({ content }) => [content, content.slice(0, -1), content.slice(1)]);
    const hostile = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ unit: 'binary' }))).map((x) => x.join(''));
    fc.assert(
      fc.property(hostile, (text) => {
        const ids = tokenizer.encode(text, [{ start: 0, end: text.length }]);
        expect(ids.filter((id) => controlIds.has(id))).toEqual([]);
        expect(tokenizer.decode(ids)).toBe(tokenizer.decode(tokenizer.encode(text)));
      }),
      { numRuns: 200 },
    );
  });
});

describe('literal spans', () => {
  const tokenizer = load('nano-d');
  const end = tokenizer.idOf('<|im_end|>');

  it('neutralise only what they touch', () => {
    const text = 'a<|im_end|>b<|im_end|>';
    const ids = tokenizer.encode(text, [{ start: 0, end: 12 }]);
    expect(ids.filter((id) => id === end)).toHaveLength(1);
    expect(ids.at(-1)).toBe(end);
  });

  it('stop a token that is half typed and half template', () => {
    expect(tokenizer.encode('<|im_end|>', [{ start: 0, end: 3 }])).not.toContain(end);
  });

  it('hold when plain vocabulary lists a control string', () => {
    const json = read('golden/tokenizer.json') as { model: { ignore_merges: boolean; vocab: Record<string, number> } };
    json.model.ignore_merges = true;
    json.model.vocab['the'] = 500;
    const strange = createTokenizer({ ...json, added_tokens: [{ id: 500, content: 'the', special: true }] }, {});
    expect(strange.encode('the')).toEqual([500]);
    expect(strange.encode('the', [{ start: 0, end: 3 }])).not.toContain(500);
  });

  it('leave tokens of white space alone', () => {
    const json = read('golden/tokenizer.json') as { added_tokens: object[] };
    const spaced = createTokenizer({ ...json, added_tokens: [{ id: 500, content: '    ' }] }, {});
    expect(spaced.encode('x    y', [{ start: 0, end: 6 }])).toContain(500);
  });
});

describe('tokenText', () => {
  const tokenizer = load('nano-d');
  it('shows blanks, line ends, control tokens and parts of characters', () => {
    expect(
      tokenizer
        .encode(' the')
        .map((id) => tokenizer.tokenText(id))
        .join(''),
    ).toBe(' the');
    expect(tokenizer.tokenText(tokenizer.encode('\n')[0] ?? -1)).toBe('\n');
    expect(tokenizer.tokenText(tokenizer.idOf('<|im_end|>') ?? -1)).toBe('<|im_end|>');
    expect(tokenizer.encode('日').map((id) => tokenizer.tokenText(id))).toEqual(['⟨E6⟩', '⟨97⟩', '⟨A5⟩']);
    expect(tokenizer.tokenText(99999)).toBe('⟨99999⟩');
  });
});

describe('strip flags of added tokens', () => {
  it('swallow the white space beside the token', () => {
    const json = read('golden/tokenizer.json') as object;
    const flagged = [{ id: 500, content: '<sep>', lstrip: true, rstrip: true }];
    const tokenizer = createTokenizer({ ...json, added_tokens: flagged }, {});
    expect(tokenizer.encode('a  <sep>\n b')).toEqual([...tokenizer.encode('a'), 500, ...tokenizer.encode('b')]);
  });
});

describe('a damaged tokenizer.json', () => {
  const good = read('golden/tokenizer.json') as Record<string, unknown>;
  const withModel = (change: object): unknown => ({ ...good, model: { ...(good.model as object), ...change } });
  it.each([
    ['null', null],
    ['a list', []],
    ['text', 'tokenizer'],
    ['no model', {}],
    ['no vocabulary', withModel({ vocab: undefined })],
    ['a negative id', withModel({ vocab: { a: -1 } })],
    ['an absurd id', withModel({ vocab: { a: 4e9 } })],
    ['an id that is text', withModel({ vocab: { a: '1' } })],
    ['too many Unigram tokens', withModel({ type: 'Unigram', vocab: new Array(1_000_001) })],
    ['merges of another kind', withModel({ merges: 'a b' })],
    ['an added token without content', { ...good, added_tokens: [{ id: 1 }] }],
    ['an added token of no length', { ...good, added_tokens: [{ id: 1, content: '' }] }],
    ['an unknown pre-tokenizer', { ...good, pre_tokenizer: { type: 'Mystery' } }],
  ])('is refused: %s', (_, json) => {
    expect(() => createTokenizer(json, {})).toThrowError(expect.objectContaining({ code: 'bad-model' }));
    expect(() => createTokenizer(json, {})).toThrowError(NvlmError);
  });
});
