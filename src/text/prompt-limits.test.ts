import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { crossAttended, unrolled, wrapped } from './image-layout.ts';
import { assertFits, assertPrompt } from './prompt-limits.ts';
import { planImageBlock } from './token-plan.ts';
import { createQwen2TagTokenizer } from './qwen2-tags.ts';

const layout = { routing: unrolled, block: wrapped('<Image>', '</Image>'), joinTags: false, placeholder: '<image>' };
const tags = ['<tile_1>', '<tile_2>', '<tile_global_thumbnail>'];
const plan = planImageBlock({
  layout,
  tokenizer: createQwen2TagTokenizer(),
  pictures: [tags.map((tag, col) => ({ tag, col, row: 0, thumbnail: col === 2 }))],
  tokensPerTile: 256,
  imageTokenId: 151654,
});
const length = 2 + 3 * (5 + 256) + 3;

function caught(run: () => void): NvlmError {
  try {
    run();
  } catch (error) {
    if (error instanceof NvlmError) return error;
  }
  throw new Error('did not throw an NvlmError');
}

describe('assertFits', () => {
  it('takes what just fits', () => {
    expect(plan.counts.decoderTokens).toBe(length);
    expect(() => assertFits(plan, length + 10, 10)).not.toThrow();
  });

  it('says how many tokens over and what to do', () => {
    const error = caught(() => assertFits(plan, length + 9, 10));
    expect(error.code).toBe('prompt-too-long');
    expect(error.message).toBe(
      `The prompt takes ${length} tokens (768 of them visual) and the answer may take 10: ` + `1 over the model's ${length + 9}.`,
    );
    expect(error.fix).toBe(
      'Ask for at most 9 new tokens, shorten the text by 1 token, allow fewer tiles (each takes 256 tokens) ' +
        'or start a new conversation.',
    );
  });

  it('does not offer fewer new tokens when the prompt alone is too long', () => {
    expect(caught(() => assertFits(plan, 100, 10)).fix).toMatch(/^Shorten/);
  });

  it('refuses a plan without tokens', () => {
    const none = planImageBlock({
      layout: { ...layout, routing: crossAttended },
      tokenizer: createQwen2TagTokenizer(),
      pictures: [],
      tokensPerTile: 256,
      imageTokenId: 151654,
    });
    expect(caught(() => assertFits(none, 100, 10)).code).toBe('empty-prompt');
  });
});

describe('assertPrompt', () => {
  it.each([
    ['no message', []],
    ['blank text', [{ role: 'user' as const, content: ' \n' }]],
    ['an image alone', [{ role: 'user' as const, content: '<image>\n' }]],
    [
      'a blank second question',
      [
        { role: 'user' as const, content: 'a' },
        { role: 'user' as const, content: '' },
      ],
    ],
  ])('refuses %s', (_, messages) => {
    expect(caught(() => assertPrompt(messages)).code).toBe('empty-prompt');
  });

  it('takes a question', () => {
    expect(() => assertPrompt([{ role: 'user', content: '<image>\nWhat?' }])).not.toThrow();
  });
});
