import { describe, expect, it } from 'vitest';
import { withExtraTokens } from './extra-tokens.ts';

const token = (id: number, content: string) => ({ id, content, special: true });
const added = (json: unknown) =>
  (json as { added_tokens: { id: number; content: string }[] }).added_tokens.map(({ id, content }) => [id, content]);

/** transformers 5.24 (`extra_special_tokens`) and tokenizers 0.23. */
describe('withExtraTokens', () => {
  it('goes on where vocabulary and added tokens end, in order', () => {
    const within = { model: { vocab: { a: 0, b: 1, c: 2 } }, added_tokens: [token(0, 'a')] };
    expect(added(withExtraTokens(within, ['<x>', '<y>']))).toEqual([
      [0, 'a'],
      [3, '<x>'],
      [4, '<y>'],
    ]);
    const beyond = { model: { vocab: { a: 0 } }, added_tokens: [token(7, '<s>')] };
    expect(added(withExtraTokens(beyond, ['<x>'])).at(-1)).toEqual([8, '<x>']);
  });

  it('leaves ids to those that are there already, in either list, and adds none twice', () => {
    const json = { model: { vocab: { a: 0, '<x>': 1 } }, added_tokens: [token(2, '<y>')] };
    expect(added(withExtraTokens(json, ['<y>', '<x>', '<z>', '<z>']))).toEqual([
      [2, '<y>'],
      [1, '<x>'],
      [3, '<z>'],
    ]);
    expect(json.added_tokens).toHaveLength(1);
  });

  it('leaves what is no tokenizer to be refused by its reader', () => {
    for (const json of [null, 7, {}, { model: {} }, { model: { vocab: [] } }]) expect(withExtraTokens(json, ['<x>'])).toBe(json);
  });
});
