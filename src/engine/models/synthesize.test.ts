import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import { parseConfig } from '../../nvlm/parse-config.ts';
import { loadWeights } from '../../nvlm/load-weights.ts';
import { parameterSpecs } from '../../nvlm/names.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { syntheticFiles, syntheticModelFiles } from './synthesize.ts';
import { syntheticSource } from './synthetic-source.ts';

it('gives any span of a checkpoint that lies nowhere, as the whole file has it', async () => {
  const source = syntheticSource('smolvlm-256m', { seed: 5 });
  const [file] = syntheticModelFiles('smolvlm-256m', 5).files;
  const { name, bytes } = file!;
  expect(await source.size(name)).toBe(bytes);
  // Rows here are 1152 bytes and 3 072: spans that begin and end within a row, one over a tensor's end, the header, the last byte.
  for (const [start, end] of [
    [0, 100],
    [7_000_001, 7_000_900],
    [60_000_000, 60_300_007],
    [bytes - 1, bytes],
  ] as const) {
    const whole = file!.read(start - (start % 4096), Math.min(bytes, end + 4096));
    expect(Buffer.compare(await source.read(name, start, end), whole.subarray(start % 4096, (start % 4096) + end - start))).toBe(0);
  }
  expect(await source.read(name, 3, 3)).toHaveLength(0);
  await expect(source.read(name, bytes - 1, bytes + 1)).rejects.toThrow('ends early');
  await expect(source.read('other.bin', 0, 1)).rejects.toMatchObject({ code: 'not-found' });
  expect(await source.readAll('no.json', 10)).toBeNull();
  await expect(source.readAll('config.json', 10)).rejects.toMatchObject({ code: 'bad-model' });
  const model = await openModelFolder(source);
  expect(parseConfig(model.config, model.imageProcessor).family.id).toBe('smolvlm');
});

it('makes shards with an index that the loader reads, of the sizes it says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-synth-'));
  try {
    const json = JSON.parse(await readFile(join(goldenFolder('nvlm-h'), 'config.json'), 'utf8')) as object;
    const config = parseConfig(json);
    const checkpoint = {
      config,
      dummyHeads: 0,
      fileName: (name: string) => name,
      tensors: parameterSpecs(config),
      files: { 'config.json': json },
    };
    const files = syntheticFiles(checkpoint, 7, 200_000);
    expect(files.at(-1)!.name).toBe('config.json');
    for (const { name, bytes, pieces } of files) {
      const content = Buffer.concat([...pieces()]);
      expect(content.length).toBe(bytes);
      await writeFile(join(folder, name), content);
    }
    const shards = (await readdir(folder)).filter((file) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(file));
    expect(shards.length).toBeGreaterThan(2);
    const model = await openModelFolder(nodeFiles(folder));
    for (const { bytes } of model.shards) expect(bytes).toBeLessThan(210_000);
    const device = await openBackend('cpu');
    const weights = await loadWeights(model, config, { keepHalves: false });
    expect(weights.linears.size).toBeGreaterThan(10);
    await device.dispose();
  } finally {
    await rm(folder, { recursive: true });
  }
});
