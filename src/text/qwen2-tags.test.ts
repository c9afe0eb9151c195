import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createQwen2TagTokenizer } from './qwen2-tags.ts';

const tokenizer = createQwen2TagTokenizer();

describe("the tag part of Qwen2's tokenizer", () => {
  it.each([1, 2, 3, 4, 5, 6])('writes <tile_%i> in five tokens', (k) => {
    expect(tokenizer.encode(`<tile_${k}>`)).toEqual([27, 21094, 62, 15 + k, 29]);
  });

  it.each([
    ['<tile_global_thumbnail>', [27, 21094, 19296, 37824, 29]],
    ['<tile_global>', [27, 21094, 19296, 29]],
    ['<tile_x0_y0>', [27, 21094, 3212, 15, 4178, 15, 29]],
    ['<Image>', [46465, 29]],
    ['</Image>', [522, 1906, 29]],
    ['</Image>\n', [522, 1906, 397]],
    ['<Image><tile_1>', [46465, 1784, 21094, 62, 16, 29]],
    ['<|vision_pad|>', [151654]],
  ])('writes %j with the published ids', (text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it('equals the whole tokenizer on random strings of tags, all formats', () => {
    const cases = JSON.parse(readFileSync(new URL('../../tests/fixtures/text/qwen2-tags.json', import.meta.url), 'utf8')) as [
      string,
      number[],
    ][];
    for (const [text, ids] of cases) expect(tokenizer.encode(text), text).toEqual(ids);
  });

  it('shows each token', () => {
    expect(tokenizer.encode('<tile_global_thumbnail>').map((id) => tokenizer.tokenText(id))).toEqual([
      '<',
      'tile',
      '_global',
      '_thumbnail',
      '>',
    ]);
  });

  it.each(['Hello', '<tile_13>', '<tile_0>', '<tile_1', 'Image', '\n\n', '<Image> ', '<box>(0, 0), (1, 1)</box>'])(
    'refuses to guess: %j',
    (text) => {
      expect(() => tokenizer.encode(text)).toThrowError(expect.objectContaining({ code: 'unsupported-model' }));
    },
  );
});
