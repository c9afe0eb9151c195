import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { blobFiles } from './blob-files.ts';
import { tokenizerRepository, withForeignTokenizer } from './foreign-tokenizer.ts';
import type { Manifest } from './manifest.ts';

type Contents = Record<string, string>;
const HASH = '0'.repeat(40);
const CONFIG = JSON.stringify({ lm_tokenizer: 'org/words' });

function repository(contents: Contents) {
  const files = blobFiles(
    Object.entries(contents).map(([path, text]) => ({ path, blob: new Blob([text]) })),
    'x',
  );
  const list = async (): Promise<Manifest> =>
    new Map(Object.entries(contents).map(([path, text]) => [path, { path, size: text.length, hash: HASH }]));
  return { files, list };
}

/** A hub of these repositories; `asked` are those that were opened beside the first. */
function hub(own: Contents, others: Record<string, Contents> = {}) {
  const asked: string[] = [];
  const opened = withForeignTokenizer(repository(own), ({ repository: name }) => {
    asked.push(name);
    const found = others[name];
    if (found) return repository(found);
    return { ...repository({ none: '' }), list: () => Promise.reject(new NvlmError('not-found', 'No such model.', 'Check the id.')) };
  });
  const read = async (path: string) => {
    const bytes = await opened.files.readAll(path, 1000);
    return bytes && new TextDecoder().decode(bytes);
  };
  return { ...opened, asked, read };
}

describe('a tokenizer in another repository', () => {
  const words = {
    'tokenizer.json': 'theirs',
    'tokenizer_config.json': 'their config',
    'config.json': 'their model',
    'model.safetensors': '',
  };

  it('is listed and read among the model’s own files, and nothing else of that repository is', async () => {
    const { list, read, files, asked } = hub({ 'config.json': CONFIG, 'model.safetensors': 'w' }, { 'org/words': words });
    expect([...(await list()).values()].map(({ path, size }) => [path, size])).toEqual([
      ['config.json', CONFIG.length],
      ['model.safetensors', 1],
      ['tokenizer.json', 6],
      ['tokenizer_config.json', 12],
    ]);
    expect(await read('tokenizer.json')).toBe('theirs');
    expect(await read('tokenizer_config.json')).toBe('their config');
    expect(await read('config.json')).toBe(CONFIG);
    expect(await files.size('tokenizer.json')).toBe(6);
    expect(new TextDecoder().decode(await files.read('tokenizer.json', 1, 4))).toBe('hei');
    expect(await read('generation_config.json')).toBeNull();
    expect(asked).toEqual(['org/words']);
  });

  it('gives way to the model’s own, file by file', async () => {
    const own = { 'config.json': CONFIG, 'tokenizer.json': 'ours' };
    const { list, read, asked } = hub(own, { 'org/words': words });
    expect([...(await list()).keys()]).toEqual(Object.keys(own));
    expect(await read('tokenizer.json')).toBe('ours');
    expect(asked).toEqual([]);
    expect(await read('tokenizer_config.json')).toBe('their config');
  });

  it('that is not to be had leaves a model without one; other faults are told', async () => {
    const { list } = hub({ 'config.json': CONFIG });
    expect([...(await list()).keys()]).toEqual(['config.json']);
    const away = withForeignTokenizer(repository({ 'config.json': CONFIG }), () => ({
      ...repository({}),
      list: () => Promise.reject(new NvlmError('network', 'Away.', 'Later.')),
    }));
    await expect(away.list()).rejects.toMatchObject({ code: 'network' });
  });

  it('is asked for by a hub’s id alone', async () => {
    for (const lm_tokenizer of [undefined, 7, '../x', 'https://evil/x', 'name']) {
      expect(tokenizerRepository({ lm_tokenizer } as never)).toBeNull();
      const { list, asked } = hub({ 'config.json': JSON.stringify({ lm_tokenizer }) });
      await list();
      expect(asked).toEqual([]);
    }
    expect(tokenizerRepository({ lm_tokenizer: 'org/words' })).toEqual({ repository: 'org/words', revision: 'main' });
  });
});
