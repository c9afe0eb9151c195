import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { openBackend } from '../../tests/support/backends.ts';
import { parseConfig } from '../nvlm/config.ts';
import { loadWeights } from '../nvlm/load-weights.ts';
import { parameterSpecs } from '../nvlm/names.ts';
import type { SyntheticCheckpoint } from '../nvlm/synthetic-checkpoint.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { writeCheckpoint } from './write-checkpoint.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-synth-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function smallCheckpoint(): Promise<SyntheticCheckpoint> {
  const json = JSON.parse(await readFile(join(goldenFolder('nvlm-h'), 'config.json'), 'utf8')) as object;
  const config = parseConfig(json);
  return { config, dummyHeads: 0, tensors: parameterSpecs(config), files: { 'config.json': json } };
}

it('writes shards with an index that the loader reads', async () => {
  const mostShardBytes = 200_000;
  const shards = await writeCheckpoint(folder, await smallCheckpoint(), 7, { mostShardBytes });
  const files = await readdir(folder);
  expect(files.filter((file) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(file)).length).toBe(shards);
  expect(shards).toBeGreaterThan(2);
  const model = await openModelFolder(nodeFiles(folder));
  for (const { bytes } of model.shards) expect(bytes).toBeLessThan(mostShardBytes + 10_000);
  const device = await openBackend('cpu');
  const weights = await loadWeights(model, parseConfig(model.config), { keepHalves: false });
  expect(weights.linears.size).toBeGreaterThan(10);
  await device.dispose();
});

it('stops when asked, without a config.json', async () => {
  const controller = new AbortController();
  const write = writeCheckpoint(folder, await smallCheckpoint(), 7, { signal: controller.signal, onWritten: () => controller.abort() });
  await expect(write).rejects.toMatchObject({ code: 'cancelled' });
  expect(await readdir(folder)).toEqual(['model.safetensors']);
});
