import { describe, expect, it } from 'vitest';
import vocabulary from '../text/qwen2-tags.tokenizer.json' with { type: 'json' };
import { createTokenizer } from '../text/tokenizer.ts';
import { readModelDescription } from './model-folder.ts';
import type { ModelFiles } from './source.ts';

const TOKENIZER_CONFIG = {
  tokenizer_class: 'Qwen2Tokenizer',
  added_tokens_decoder: { 151648: { content: '<IMG_CONTEXT>', special: true, lstrip: false, rstrip: false } },
};
const OLDER_FILES = {
  'config.json': '{}',
  'vocab.json': JSON.stringify(vocabulary.model.vocab),
  'merges.txt': `#version: 0.2\n${vocabulary.model.merges.map((pair) => pair.join(' ')).join('\n')}\n`,
  'added_tokens.json': '{"<IMG_CONTEXT>": 151648}',
  'tokenizer_config.json': JSON.stringify(TOKENIZER_CONFIG),
};

async function describeFiles(contents: Record<string, string>) {
  const files = {
    id: 'test',
    readAll: (path: string) => Promise.resolve(path in contents ? new TextEncoder().encode(contents[path]) : null),
  } as unknown as ModelFiles;
  return readModelDescription(files);
}

describe('a Qwen2 tokenizer in its older files', () => {
  it('encodes as its tokenizer.json does', async () => {
    const { tokenizer, tokenizerConfig } = await describeFiles(OLDER_FILES);
    const [older, newer] = [createTokenizer(tokenizer, tokenizerConfig), createTokenizer(vocabulary, {})];
    for (const text of ['<tile_1>', '<tile_global_thumbnail>\n', '</Image>', '<box> (448, 0), (896, 448) </box>']) {
      expect(older.encode(text)).toEqual(newer.encode(text));
      expect(older.encode(text).length).toBeGreaterThan(1);
    }
    expect(older.idOf('<IMG_CONTEXT>')).toBe(151648);
  });

  it('takes added tokens from added_tokens.json where the configuration has none', async () => {
    const config = JSON.stringify({ tokenizer_class: 'Qwen2Tokenizer' });
    const { tokenizer } = await describeFiles({ ...OLDER_FILES, 'tokenizer_config.json': config });
    expect(createTokenizer(tokenizer, {}).idOf('<IMG_CONTEXT>')).toBe(151648);
  });

  it.each([
    ['another class of tokenizer', { ...OLDER_FILES, 'tokenizer_config.json': '{"tokenizer_class": "LlamaTokenizer"}' }],
    ['no configuration', { 'config.json': '{}', 'vocab.json': '{}', 'merges.txt': '' }],
    ['no merges', { ...OLDER_FILES, 'merges.txt': undefined as unknown as string }],
  ])('is not guessed at with %s', async (_, contents) => {
    const present = Object.fromEntries(Object.entries(contents).filter(([, text]) => text !== undefined));
    expect((await describeFiles(present)).tokenizer).toBeNull();
  });
});
