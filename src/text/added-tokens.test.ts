import { expect, it } from 'vitest';
import { createAddedTokenSplitter } from './added-tokens.ts';

const token = (content: string, id: number) => ({
  id,
  content,
  special: true,
  lstrip: false,
  rstrip: false,
  single_word: false,
  normalized: false,
});

it('takes the longest of the tokens that begin at a place, and the leftmost place first', () => {
  const split = createAddedTokenSplitter([token('<a>', 1), token('<a><b>', 2), token('b><', 3)]);
  const sections = split('x<a><b><a>', []).map((section) => ('text' in section ? section.text : section.token.id));
  expect(sections).toEqual(['x', 2, 1]);
});
