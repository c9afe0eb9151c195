/**
 * Makes a model folder ready to be served beside the page: shards, index and a manifest with hashes.
 * `npx tsx src/weights/node-bundle.ts FROM TO`
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE, formatManifest } from './manifest.ts';
import type { ManifestEntry } from './manifest.ts';
import { openModelFolder, requireTokenizer } from './model-folder.ts';
import { nodeFiles } from './node-files.ts';
import { writeSafetensors } from './safetensors.ts';
import { createHasher } from './hasher.ts';
import { planShards } from './shards.ts';
import { readTensor } from './stream.ts';

/** Well under what static hosts accept for one file, and about one chunk of a load. */
const SHARD_BYTES = 4_000_000;
const TEXT_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];

async function bundle(from: string, to: string): Promise<void> {
  const folder = await openModelFolder(nodeFiles(from));
  requireTokenizer(folder);
  await mkdir(to, { recursive: true });
  const manifest = new Map<string, ManifestEntry>();
  const write = async (path: string, bytes: Uint8Array) => {
    const hasher = createHasher();
    hasher.update(bytes);
    manifest.set(path, { path, size: bytes.length, hash: hasher.digest() });
    await writeFile(join(to, path), bytes);
  };

  for (const path of TEXT_FILES) await write(path, await readFile(join(from, path)));
  const { shards, index } = planShards([...folder.tensors.values()], SHARD_BYTES);
  if (index) await write('model.safetensors.index.json', new TextEncoder().encode(`${JSON.stringify(index, null, 1)}\n`));
  for (const { file, tensors } of shards) {
    const data = await Promise.all(tensors.map(async (entry) => ({ ...entry, data: await readTensor(folder, entry.name) })));
    await write(file, writeSafetensors(data, { format: 'pt' }));
  }
  await writeFile(join(to, MANIFEST_FILE), formatManifest(manifest));
}

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error('usage: npx tsx src/weights/node-bundle.ts FROM TO');
await bundle(from, to);
