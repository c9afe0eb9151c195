import { afterEach, describe, expect, it, vi } from 'vitest';
import { modelSource } from './model-source.ts';

afterEach(() => vi.unstubAllEnvs());

describe('modelSource', () => {
  it.each([
    ['nano-d', { kind: 'bundled', id: 'nano-d' }],
    ['nvidia/NVLM-D-72B', { kind: 'hub', repository: 'nvidia/NVLM-D-72B', revision: 'main' }],
    ['org/name@v1.0', { kind: 'hub', repository: 'org/name', revision: 'v1.0' }],
    ['org/name@refs/pr/3', { kind: 'hub', repository: 'org/name', revision: 'refs/pr/3' }],
    ['https://huggingface.co/org/name', { kind: 'hub', repository: 'org/name', revision: 'main' }],
    ['https://huggingface.co/org/name/tree/dev', { kind: 'hub', repository: 'org/name', revision: 'dev' }],
    ['https://huggingface.co/org/name/resolve/dev/sub/', { kind: 'url', url: 'https://huggingface.co/org/name/resolve/dev/sub/' }],
    ['https://host/a/model?key=1', { kind: 'url', url: 'https://host/a/model?key=1' }],
  ])('%s', async (name, source) => {
    vi.stubEnv('HF_ENDPOINT', '');
    expect(await modelSource(name)).toEqual(source);
  });

  it('knows the pages of a mirror', async () => {
    vi.stubEnv('HF_ENDPOINT', 'https://mirror/hf');
    expect(await modelSource('https://mirror/hf/org/name')).toEqual({ kind: 'hub', repository: 'org/name', revision: 'main' });
    expect((await modelSource('https://huggingface.co/org/name')).kind).toBe('url');
  });

  it('takes a folder before a Hugging Face id of the same name', async () => {
    expect(await modelSource('src/headless')).toEqual({ kind: 'folder', path: `${process.cwd()}/src/headless` });
  });

  it.each(['nano-z', '/no/such/folder', './none', 'package.json', 'a/b/c', 'org/name@../x'])(
    'refuses %s with what can be given',
    async (name) => {
      await expect(modelSource(name)).rejects.toMatchObject({
        code: 'not-found',
        fix: expect.stringContaining('nano-d'),
      });
    },
  );
});
