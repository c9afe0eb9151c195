/** File names and indexes that anybody can write: what is accepted lies in the model's folder, whoever resolves it. */
import { posix, win32 } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallModel } from '../../tests/fixtures/weights/small-model.ts';
import { NvlmError } from '../errors.ts';
import { blobFiles } from './blob-files.ts';
import { checkFilePath } from './file-path.ts';
import { openModelFolder } from './model-folder.ts';

const SHARD = 'model-00001-of-00002.safetensors';
const INDEX = 'model.safetensors.index.json';

function isAccepted(path: unknown): path is string {
  try {
    checkFilePath(path);
    return true;
  } catch (error) {
    if (error instanceof NvlmError && error.code === 'bad-model') return false;
    throw error;
  }
}

function staysInside(path: string): boolean {
  const url = new URL(path.split('/').map(encodeURIComponent).join('/'), 'https://host/models/a/');
  // Windows leaves off points and spaces at the end of a name.
  const onWindows = path
    .split('/')
    .map((name) => name.replace(/[. ]+$/, ''))
    .join('\\');
  return (
    url.host === 'host' &&
    url.pathname.startsWith('/models/a/') &&
    url.pathname.split('/').length === path.split('/').length + 3 &&
    posix.resolve('/models/a', path) === `/models/a/${path}` &&
    win32.resolve('C:\\models\\a', path) === `C:\\models\\a\\${onWindows}`
  );
}

const fragment = fc.oneof(
  fc.constantFrom('..', '.', '/', '//', '\\', '%2e%2e', '%2f', ':', '~', '\0', '\n', ' ', '．．', '∕', '‥', 'C:', '?', '#'),
  fc.constantFrom('a', 'model', '.safetensors', 'ü', '1', '-00001-of-00002', 'x'.repeat(150)),
  fc.string({ maxLength: 3, unit: 'binary' }),
);
const name = fc.array(fragment, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));

describe('hostile file names', () => {
  it.each(['../a', '..', '.', '', '/a', 'a//b', 'a/', 'a\\..\\b', 'C:a', 'a/.. /b', 'a. ', 'a.', '...', 'a\0', 4, null, {}])(
    '%j is refused',
    (path) => expect(isAccepted(path)).toBe(false),
  );

  it.each(['model.safetensors', '.gitattributes', 'a/b (1).json', 'größe-日本.bin', 'x'.repeat(200)])('%s is taken', (path) =>
    expect(isAccepted(path)).toBe(true),
  );

  it('are refused, or stay in the folder on a server, on Linux and on Windows (5000 names)', () => {
    let accepted = 0;
    fc.assert(
      fc.property(name, (path) => {
        if (!isAccepted(path)) return;
        accepted++;
        expect(staysInside(path)).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

describe('hostile indexes', () => {
  const set = smallModel();
  const picked = Object.entries(set).map(([path, bytes]) => ({ path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) }));
  /** Opens the model with this index; which files it asked for. */
  async function open(index: string): Promise<{ asked: Set<string>; error: unknown }> {
    const files = blobFiles([...picked, { path: INDEX, blob: new Blob([index]) }], 'hostile');
    const asked = new Set<string>();
    const watched = {
      ...files,
      size: (path: string) => (asked.add(path), files.size(path)),
      read: (path: string, start: number, end: number) => (asked.add(path), files.read(path, start, end)),
    };
    const error: unknown = await openModelFolder(watched).then(
      () => null,
      (cause: unknown) => cause,
    );
    return { asked, error };
  }

  it.each([
    ['a prototype key', `{"weight_map":{"__proto__":"${SHARD}"}}`],
    ['a constructor', `{"constructor":{"prototype":{}},"weight_map":{}}`],
    ['a tensor twice, the second time in disguise', `{"weight_map":{"a":"${SHARD}","\\u0061":"${SHARD}"}}`],
    ['a map twice', `{"weight_map":{},"weight_map":{"a":"../x"}}`],
    ['a map in a map', `{"weight_map":${'{"a":'.repeat(500)}1${'}'.repeat(500)}}`],
    ['a folder for a file', `{"weight_map":{"a":"${SHARD}/"}}`],
  ])('with %s are refused before any shard is asked for', async (_, index) => {
    const { asked, error } = await open(index);
    expect(error).toMatchObject({ code: 'bad-model' });
    expect([...asked].filter((path) => path.includes('safetensors') && path !== INDEX)).toEqual([]);
  });

  it('that lead to one huge header after the other are refused after 64 MB of them', async () => {
    const length = 2 ** 24 - 8;
    const header = Buffer.alloc(8 + length, ' ');
    header.writeBigUInt64LE(BigInt(length));
    header.write('{', 8);
    header.write('}', 7 + length);
    const blob = new Blob([header]);
    const names = Array.from({ length: 100 }, (_, i) => `shard-${i}`);
    const index = JSON.stringify({ weight_map: Object.fromEntries(names.map((shard, i) => [`t${i}`, shard])) });
    const files = blobFiles(
      [...names.map((path) => ({ path, blob })), { path: 'config.json', blob: new Blob(['{}']) }, { path: INDEX, blob: new Blob([index]) }],
      'x',
    );
    let read = 0;
    const counted = { ...files, read: (...args: Parameters<typeof files.read>) => ((read += args[2] - args[1]), files.read(...args)) };
    await expect(openModelFolder(counted)).rejects.toMatchObject({
      code: 'bad-model',
      message: expect.stringContaining('headers') as string,
    });
    expect(read).toBeLessThan(6 * 2 ** 24);
  });

  it('are refused with a reason, and lead nowhere outside the folder (2000 indexes)', async () => {
    const value = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(SHARD, 'model-00002-of-00002.safetensors') },
      { weight: 1, arbitrary: fc.oneof(name, fc.constantFrom(null, 1, -1, true, [], {})) },
    );
    const key = fc.oneof(fc.constantFrom('embed', 'layers.0.up', 'ghost', '__proto__', 'hasOwnProperty'), fc.string({ maxLength: 3 }));
    const pairs = fc.array(fc.tuple(key, value), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(pairs, async (list) => {
        const map = list.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',');
        const { asked, error } = await open(`{"weight_map":{${map}}}`);
        for (const path of asked) expect(isAccepted(path) && staysInside(path)).toBe(true);
        if (error === null) for (const [k, v] of list) expect([k, set[v as string] !== undefined]).toEqual([k, true]);
        else expect(error).toMatchObject({ code: expect.stringMatching(/^(bad-model|not-found)$/) as string });
      }),
      { numRuns: 2000 },
    );
  });
});
