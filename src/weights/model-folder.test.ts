import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { FileSet } from '../../tests/fixtures/weights/small-model.ts';
import { smallModel, utf8 } from '../../tests/fixtures/weights/small-model.ts';
import { blobFiles } from './blob-files.ts';
import { checkedFiles } from './checked-files.ts';
import { readManifest } from './manifest.ts';
import { openModelFolder, requireTokenizer } from './model-folder.ts';
import { nodeFiles } from './node-files.ts';
import { writeSafetensors } from './safetensors.ts';
import { planShards } from './shards.ts';
import { streamTensors } from './stream.ts';

const FIRST = 'model-00001-of-00002.safetensors';
const INDEX = 'model.safetensors.index.json';
const one = (name: string) => writeSafetensors([{ name, dtype: 'U8', shape: [2], data: Uint8Array.of(1, 2) }]);
const blobs = (files: FileSet, root = '') =>
  blobFiles(
    Object.entries(files).map(([path, bytes]) => ({
      path: root + path,
      blob: new Blob([bytes as Uint8Array<ArrayBuffer>]),
    })),
    'picked',
  );

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function onDisk(files: FileSet): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-'));
  folders.push(folder);
  for (const [path, bytes] of Object.entries(files)) await writeFile(join(folder, path), bytes);
  return folder;
}

describe('a model folder', () => {
  it.each(['disk', 'picked files', 'a dropped folder'])('opens from %s', async (where) => {
    const set = smallModel();
    const files = where === 'disk' ? nodeFiles(await onDisk(set)) : blobs(set, where === 'picked files' ? '' : 'my/model/');
    const folder = await openModelFolder(files);
    expect(folder.config.model_type).toBe('nvlm');
    expect(folder.generationConfig?.eos_token_id).toBe(1);
    expect(requireTokenizer(folder).tokenizerConfig.chat_template).toBe('{{ messages }}');
    expect(folder.tensors.size).toBe(8);
    expect(folder.shards.map(({ file }) => file)).toEqual([FIRST, 'model-00002-of-00002.safetensors']);
    expect(folder.tensorBytes).toBe([...folder.tensors.values()].reduce((sum, { start, end }) => sum + end - start, 0));
  });

  it('may be a single file, without tokenizer, with the template in its own file', async () => {
    const files = { 'config.json': utf8('{}'), 'model.safetensors': one('a') };
    const folder = await openModelFolder(blobs(files));
    expect(folder.tensors.get('a')?.shape).toEqual([2]);
    expect(() => requireTokenizer(folder)).toThrow(expect.objectContaining({ code: 'not-found' }) as Error);
    const templated = { ...files, 'tokenizer_config.json': utf8('{}'), 'chat_template.jinja': utf8('{{ x }}') };
    expect((await openModelFolder(blobs(templated))).tokenizerConfig?.chat_template).toBe('{{ x }}');
    const both = { ...templated, 'tokenizer_config.json': utf8('{"chat_template": "of an older file"}') };
    expect((await openModelFolder(blobs(both))).tokenizerConfig?.chat_template).toBe('{{ x }}');
  });

  const change = (changes: Record<string, Uint8Array | null>): FileSet =>
    Object.fromEntries(Object.entries({ ...smallModel(), ...changes }).filter((pair): pair is [string, Uint8Array] => pair[1] !== null));
  const index = (map: unknown) => utf8(JSON.stringify({ weight_map: map }));

  it.each<[string, string, string, FileSet]>([
    ['no config', 'not-found', 'config.json', change({ 'config.json': null })],
    ['a missing shard', 'not-found', FIRST, change({ [FIRST]: null })],
    ['no weights', 'not-found', 'model.safetensors', { 'config.json': utf8('{}') }],
    ['a config that is not JSON', 'bad-model', 'config.json', change({ 'config.json': utf8('{') })],
    ['a config that is a list', 'bad-model', 'config.json', change({ 'config.json': utf8('[]') })],
    ['a config that is not text', 'bad-model', 'config.json', change({ 'config.json': Uint8Array.of(255, 254) })],
    ['a config that is far too large', 'bad-model', 'config.json', change({ 'config.json': new Uint8Array(5_000_000).fill(32) })],
    ['a broken tokenizer', 'bad-model', 'tokenizer.json', change({ 'tokenizer.json': utf8('nope') })],
    ['an empty shard', 'bad-model', FIRST, change({ [FIRST]: new Uint8Array(0) })],
    ['a cut shard', 'bad-model', FIRST, change({ [FIRST]: smallModel()[FIRST]!.slice(0, -1) })],
    ['an index without map', 'bad-model', INDEX, change({ [INDEX]: utf8('{}') })],
    ['an index that leads out', 'bad-model', 'outside', change({ [INDEX]: index({ a: '../../etc/passwd' }) })],
    ['an index that leads to a number', 'bad-model', 'outside', change({ [INDEX]: index({ a: 4 }) })],
    ['an index with a tensor twice', 'bad-model', 'twice', change({ [INDEX]: utf8(`{"weight_map":{"a":"${FIRST}","a":"${FIRST}"}}`) })],
    ['an index that promises more', 'bad-model', 'lacks', change({ [INDEX]: index({ embed: FIRST, ghost: FIRST }) })],
    [
      'an index with too many files',
      'bad-model',
      '1000',
      change({ [INDEX]: index(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, `f${i}`]))) }),
    ],
    ['a tensor in two shards', 'bad-model', 'two files', change({ a: one('t'), b: one('t'), [INDEX]: index({ t: 'a', u: 'b' }) })],
    ['no tensors', 'bad-model', 'no tensors', { 'config.json': utf8('{}'), 'model.safetensors': writeSafetensors([]) }],
  ])('with %s is refused as %s', async (_, code, words, files) => {
    const open = openModelFolder(blobs(files));
    await expect(open).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
  });
});

describe('local files', () => {
  it('that go away or are cut are noticed', async () => {
    const set = smallModel();
    const folder = await onDisk(set);
    const files = nodeFiles(folder);
    await files.read(FIRST, 0, 8);
    await writeFile(join(folder, FIRST), set[FIRST]!.slice(0, 100));
    await expect(files.read(FIRST, 50, 150)).rejects.toMatchObject({ code: 'corrupt-file' });
    await expect(files.read('gone', 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    expect(await files.size('gone')).toBeNull();
    await expect(blobs(set).read(FIRST, 0, set[FIRST]!.length + 1)).rejects.toMatchObject({ code: 'corrupt-file' });
  });

  it('outside the folder are refused, and reading is cancelled', async () => {
    for (const files of [nodeFiles(await onDisk(smallModel())), blobs(smallModel())]) {
      await expect(files.read('../x', 0, 1)).rejects.toMatchObject({ code: 'bad-model' });
      await expect(files.readAll('../x', 1)).rejects.toMatchObject({ code: 'bad-model' });
      await expect(files.size('../x')).rejects.toMatchObject({ code: 'bad-model' });
      await expect(files.read(FIRST, 0, 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    }
  });
});

describe('shards', () => {
  it('stay under the bound, in order, and are named as usual', () => {
    const tensors = [40, 40, 40, 200, 10].map((bytes, i) => ({ name: `t${i}`, dtype: 'U8' as const, shape: [bytes] }));
    const { shards, index } = planShards(tensors, 100);
    expect(shards.map(({ tensors: group }) => group.map(({ name }) => name))).toEqual([['t0', 't1'], ['t2'], ['t3'], ['t4']]);
    expect(index!.weight_map.t3).toBe('model-00003-of-00004.safetensors');
    expect(index!.metadata.total_size).toBe(330);
    expect(planShards(tensors, 1000)).toMatchObject({ index: null, shards: [{ file: 'model.safetensors' }] });
  });
});

describe.each(['nano-d', 'nano-x', 'nano-h'])('the bundled %s', (name) => {
  it('is whole, as its manifest says, sharded and at most 8 MB', async () => {
    const disk = nodeFiles(fileURLToPath(new URL(`../../public/models/${name}`, import.meta.url)), `bundled/${name}`);
    const manifest = await readManifest(disk);
    const folder = await openModelFolder(checkedFiles(disk, manifest));
    requireTokenizer(folder);
    let bytes = 0;
    for await (const piece of streamTensors(folder, folder.tensors.keys())) bytes += piece.bytes.length;
    expect(bytes).toBe(folder.tensorBytes);
    expect(folder.shards.length).toBeGreaterThan(1);
    expect([...manifest.values()].reduce((sum, { size }) => sum + size, 0)).toBeLessThan(8_000_000);
  });
});
